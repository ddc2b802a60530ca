package api

import (
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Port is one of the two protocols of the door.
type Port string

// The ports.
const (
	JSON Port = "json"
	GRPC Port = "grpc"
)

// Answer is one finished request, as Metrics hears of it.
type Answer struct {
	Port Port
	// Operation is empty when the request did not say which one.
	Operation cpm.Operation
	// Declined says that the answer was a decline, of the kind Kind. A signature that does not verify is not a decline.
	Declined bool
	Kind     fault.Kind
	// Took is the time from the arrival to the answer.
	Took time.Duration
}

// Metrics hears what the door does. Its methods are called concurrently and must return at once.
type Metrics interface {
	// Answered is called exactly once for each operation that was asked for (each item of a batch and each message of a
	// stream is one), and once for each other request, whether answered or declined.
	Answered(a Answer)
	// InFlight is called with +1 when a request was accepted and with -1 when it was answered. A batch is one request.
	InFlight(p Port, delta int)
	// Connections is called with +1 when a connection was accepted and with -1 when it was closed.
	Connections(p Port, delta int)
	// HandshakeFailed is called when a connection had no acceptable certificate, or ended or dawdled before it showed one.
	HandshakeFailed(p Port)
	// Paused is called with +1 when a connection is not read until its caller's declines are paid for, and with -1 and how long
	// that was when it is read again, or closed. What is read on the beat of those who were declined is not paused.
	Paused(p Port, delta int, took time.Duration)
}

// nobody listens to metrics when nobody was configured.
type nobody struct{}

func (nobody) Answered(Answer)                 {}
func (nobody) InFlight(Port, int)              {}
func (nobody) Connections(Port, int)           {}
func (nobody) HandshakeFailed(Port)            {}
func (nobody) Paused(Port, int, time.Duration) {}
