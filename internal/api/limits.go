package api

import (
	"runtime"
	"time"
)

// Limits bound what callers can make the door do. A field that is zero or negative has the value of DefaultLimits.
type Limits struct {
	// Body is the size of an operation's decoded body, in bytes.
	Body int
	// Message is the size of an HTTP body, or of a gRPC message that is not a batch, in bytes.
	Message int
	// Batch is the size of a batch, in bytes; gRPC refuses longer messages of any kind.
	Batch int
	// Unannounced is the size of an HTTP body whose length the caller does not give beforehand, in bytes: what is not known
	// has to be held to be counted.
	Unannounced int
	// BatchItems is how many operations a batch may have, and BatchParallel how many of one batch are under way at once.
	BatchItems, BatchParallel int
	// BatchResults is how many bytes the results of a batch may have in the answer. Those of batches of any length have to fit
	// into what the clients take (64 MiB), and more than the batch itself may have, as most results repeat their request.
	BatchResults int
	// Headers is how many headers a message may have. HeaderName and HeaderValue bound one, in bytes; HeaderValue is also
	// the bound of every other text beside the body.
	Headers, HeaderName, HeaderValue int
	// Reading is how many bytes of requests may be held in all before they are decoded. They are reserved when the length of a
	// request is known, before it is read. A caller has at most as many as are left free then, and so it is with Connections
	// and Calls: one caller alone has half. Batches that are not small keep their bytes until they are answered, and those of a caller
	// together have half of what it may have.
	Reading int
	// Connections is how many connections each port has at once; further ones wait to be accepted. A caller's are counted from
	// the handshake on, and those that are too many are closed then.
	Connections int
	// Calls is how many gRPC calls may be open at once, and CallsPerConnection how many of one connection; there, further ones
	// wait.
	Calls, CallsPerConnection int
	// StreamWindow is how many requests of one stream are under way at once; the stream is not read while it is full.
	StreamWindow int
	// HeaderBytes bounds the HTTP header of a request, in bytes.
	HeaderBytes int
	// HandshakeTimeout bounds the TLS handshake, HeaderTimeout the arrival of an HTTP header, ReadTimeout the arrival of a
	// whole request, WriteTimeout the departure of an answer, IdleTimeout the wait for the next request.
	HandshakeTimeout, HeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// Drain is how long a port whose context ended waits for accepted requests.
	Drain time.Duration
	// Linger is how long the ports go on declining after the last accepted request was answered.
	Linger time.Duration
}

// DefaultLimits are the limits of a CPM: bodies as FSPIOP allows them (5 MiB), everything else with room around that.
func DefaultLimits() Limits {
	return Limits{
		Body: 5 << 20, Message: 12 << 20, Batch: 32 << 20, Unannounced: 3 << 20,
		BatchItems: 1000, BatchParallel: 2 * runtime.GOMAXPROCS(0), BatchResults: 48 << 20,
		Headers: 256, HeaderName: 256, HeaderValue: 32 << 10,
		Reading: 256 << 20, Connections: 2048,
		Calls: 4096, CallsPerConnection: 256, StreamWindow: 256, HeaderBytes: 64 << 10,
		HandshakeTimeout: 5 * time.Second, HeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 120 * time.Second,
		Drain: 30 * time.Second, Linger: 250 * time.Millisecond,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	pairs := []struct{ field, fallback *int }{
		{&l.Body, &d.Body},
		{&l.Message, &d.Message},
		{&l.Batch, &d.Batch},
		{&l.Unannounced, &d.Unannounced},
		{&l.BatchItems, &d.BatchItems},
		{&l.BatchParallel, &d.BatchParallel},
		{&l.BatchResults, &d.BatchResults},
		{&l.Headers, &d.Headers},
		{&l.HeaderName, &d.HeaderName},
		{&l.HeaderValue, &d.HeaderValue},
		{&l.Reading, &d.Reading},
		{&l.Connections, &d.Connections},
		{&l.Calls, &d.Calls},
		{&l.CallsPerConnection, &d.CallsPerConnection},
		{&l.StreamWindow, &d.StreamWindow},
		{&l.HeaderBytes, &d.HeaderBytes},
	}
	for _, p := range pairs {
		if *p.field <= 0 {
			*p.field = *p.fallback
		}
	}
	times := []struct{ field, fallback *time.Duration }{
		{&l.HandshakeTimeout, &d.HandshakeTimeout},
		{&l.HeaderTimeout, &d.HeaderTimeout},
		{&l.ReadTimeout, &d.ReadTimeout},
		{&l.WriteTimeout, &d.WriteTimeout},
		{&l.IdleTimeout, &d.IdleTimeout},
		{&l.Drain, &d.Drain},
		{&l.Linger, &d.Linger},
	}
	for _, p := range times {
		if *p.field <= 0 {
			*p.field = *p.fallback
		}
	}
	return l
}
