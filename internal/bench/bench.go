// Package bench drives a running CPM and says how fast it is beside the bare cryptography on the same machine.
//
// One run prints everything that is needed to judge its figures: the machine, the rate of the raw primitive in this process
// on all cores, and the rate through each transport. The raw primitive is measured again in every round, next to what is
// compared with it, because a shared host drifts by more than the differences that matter; the ratio of a round is the
// figure to quote, and a run reports its median and range.
//
// The closed loop keeps a fixed number of calls in flight. The open loop sends by the clock and counts latency from the
// moment a call was due, so that a slow answer cannot hide the wait of those behind it.
//
// The driver shares the machine with what it measures, so a call costs it little: requests are encoded beforehand, answers
// are read whole and looked at just enough to know that each operation succeeded. A sample of the signatures goes back
// through the server's own verification.
package bench

import (
	"context"
	"crypto/tls"
	"io"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// Config says what to drive and how hard. Only Out and one of the two addresses are required.
type Config struct {
	// Address is the URL of the JSON port, https://host:7800 or http://127.0.0.1:7800. Without it the JSON transports are
	// left out.
	Address string
	// GRPCAddress is host:port of the gRPC port. Without it the gRPC transports are left out.
	GRPCAddress string
	// TLS is the client side of TLS for both ports, with the certificate the server knows the driver by. Without it gRPC is
	// plain, and https is checked against the system's roots.
	TLS *tls.Config
	// AllowRemote permits a server that is not on loopback.
	AllowRemote bool

	// FSP is the participant that signs; default payerfsp.
	FSP string
	// Keys are keys of the FSP to sign with; default an RS256 key jws and an ES256 key jws-ec.
	Keys []Key
	// Operations are sign, verify or both; default both.
	Operations []string
	// Transports are json, grpc, stream, json-batch, grpc-batch; default all.
	Transports []string

	// Duration is how long each case runs in each round, at most a minute; default 2 s.
	Duration time.Duration
	// Concurrency is the number of calls in flight, at most 4096; default 64. Batches have a sixteenth
	// of it, at least two.
	Concurrency int
	// Batch is the number of operations in a batch, at most 1000; default 100.
	Batch int
	// Rates are arrivals per second for the open loop; default none.
	Rates []int
	// Rounds is how often everything is measured; default 3.
	Rounds int

	// ServerPID is the server's process on this machine, whose CPU time is read from /proc; 0 means unknown.
	ServerPID int

	// Out receives the report.
	Out io.Writer
	// Format is table, markdown or json; default table.
	Format string
	// Progress receives a line for each finished case, unless it is nil.
	Progress io.Writer
}

// Key names a key of the FSP and says what it is.
type Key struct {
	// Name is the key's name in the CPM.
	Name string
	// Algorithm is RS256 or ES256; the server must sign with it, or the comparison would mean nothing.
	Algorithm string
}

// Run measures the server and writes the report to c.Out.
//
// It is bounded in time: about Duration for each transport and rate, operation, key and round. Whatever fails is counted
// and shown in the report; Run then returns an error as well.
//
// Errors: fault.Invalid for a configuration that makes no sense, a server that is not on loopback or an answer that is not
// what the configuration says; fault.Unavailable when the server cannot be asked; fault.Device when operations failed.
func Run(ctx context.Context, c Config) error {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return err
	}
	r, err := measure(ctx, c)
	if err != nil {
		return err
	}
	if err := r.write(c.Out, c.Format); err != nil {
		return fault.New(fault.Internal, "the report could not be written").Because(err)
	}
	if n := r.failures(); n > 0 {
		return fault.New(fault.Device, "%d operations failed, see the end of the report", n)
	}
	return nil
}
