package operator

import "time"

// Rate is how often somebody may call: Burst at once, PerSecond in the long run.
type Rate struct {
	PerSecond float64
	Burst     int
}

// RateOf lets somebody call n times a second, and six seconds' worth at once.
func RateOf(n int) Rate { return Rate{PerSecond: float64(n), Burst: 6 * n} }

// Limits bound what callers can make the door do.
type Limits struct {
	// Body is the size of a request's body, and HeaderBytes that of its header, in bytes.
	Body, HeaderBytes int
	// Connections is how many connections may be open at once, and AddressConnections how many of one address.
	Connections, AddressConnections int
	// Address and Identity are the rates for one source address and for one credential.
	Address, Identity Rate
	// Refusals of a credential within RefusalWindow lock its address and its identity out for Lockout.
	Refusals               int
	RefusalWindow, Lockout time.Duration
	// Tracked is how many addresses, and how many identities, are remembered at once.
	Tracked int
	// HeaderTimeout bounds the TLS handshake and the arrival of a header, ReadTimeout that of a whole request, IdleTimeout the
	// wait for the next request.
	HeaderTimeout, ReadTimeout, IdleTimeout time.Duration
	// Command is how long a command may take in the core, Startup how long a CPM may take to start.
	Command, Startup time.Duration
	// Drain is how long the end of the adapter waits for commands under way.
	Drain time.Duration
}

// DefaultLimits are the limits of a Command adapter.
func DefaultLimits() Limits {
	return Limits{
		Body: 16 << 10, HeaderBytes: 16 << 10, Connections: 256, AddressConnections: 32,
		Address: RateOf(10), Identity: RateOf(5),
		Refusals: 5, RefusalWindow: 15 * time.Minute, Lockout: 15 * time.Minute, Tracked: 4096,
		HeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		Command: 2 * time.Minute, Startup: time.Minute, Drain: 30 * time.Second,
	}
}
