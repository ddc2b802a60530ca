package api

import (
	"bufio"
	"errors"
	"net"
	"sync/atomic"
)

// errStray ends a connection whose calls have ended, and which goes on sending to them without taking note.
var errStray = errors.New("the caller sends to calls that have ended")

// framesAhead is how much of a connection is decrypted at once.
const framesAhead = 32 << 10

// watched is a gRPC connection whose frames are followed. gRPC reads it without a buffer of its own, so that what was read last is
// what gRPC is at.
type watched struct {
	net.Conn
	ahead    *bufio.Reader
	arrivals *arrivals
	sent     *atomic.Int64
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ahead.Read(b)
	if !w.arrivals.see(b[:n]) {
		return 0, errStray
	}
	return n, err
}

// Write gives back what answers hold before their last bytes are gone: who has them must be able to ask for more.
func (w *watched) Write(b []byte) (int, error) {
	w.arrivals.wrote(b)
	w.arrivals.blocked.Store(true)
	n, err := w.Conn.Write(b)
	w.arrivals.blocked.Store(false)
	w.sent.Add(int64(n))
	if err == nil && w.arrivals.stray.Load() > 0 {
		w.arrivals.stray.Store(0)
	}
	return n, err
}

// Close gives back what was reserved for what will not come.
func (w *watched) Close() error {
	w.arrivals.end()
	return w.Conn.Close()
}
