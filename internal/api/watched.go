package api

import (
	"bufio"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// errStray ends a connection whose calls have ended, and which goes on sending to them without taking note.
var errStray = errors.New("the caller sends to calls that have ended")

const (
	// framesAhead is how much of a connection is decrypted at once.
	framesAhead = 32 << 10
	// framesBeside is how many frames are read while one piece of answers is being written. It is more than comes in the time that
	// takes with a caller who reads.
	framesBeside = 16
	// framesGain is what each frame that is read at another time makes up for of them.
	framesGain = 2
)

// watched is a gRPC connection whose frames are followed. gRPC reads it without a buffer of its own, so that what was read last is
// what gRPC is at.
//
// Whoever does not read is not read. Nearly every frame has gRPC queue something to be written, an answer, an acknowledgement, the end of a
// call with all it holds, and it takes thousands of them without counting their bytes. So while a caller takes nothing, no more than
// a few frames are read, and later about as many as something is written. A caller who reads at all notices nothing.
type watched struct {
	net.Conn
	ahead    *bufio.Reader
	arrivals *arrivals
	sent     *atomic.Int64
	closing  func() // when nothing could be written for too long

	beside  int // frames that were read while something was being written
	waiting atomic.Bool
	wrote   chan struct{} // is told of the end of a writing, when there is one who waits
	stuck   *time.Timer
}

func (w *watched) Read(b []byte) (int, error) {
	if f := &w.arrivals.framing; f.preface == 0 && f.have == 0 {
		w.keepAbreast()
	}
	n, err := w.ahead.Read(b)
	if !w.arrivals.see(b[:n]) {
		return 0, errStray
	}
	return n, err
}

// keepAbreast waits before a frame while too many were read beside what is being written.
func (w *watched) keepAbreast() {
	writing := &w.arrivals.blocked
	switch {
	case !writing.Load():
		w.beside = max(0, w.beside-framesGain)
	case w.beside < framesBeside:
		w.beside++
	default:
		if w.waiting.Store(true); writing.Load() {
			<-w.wrote
		}
		w.waiting.Store(false)
	}
}

// Write gives back what answers hold before their last bytes are gone: who has them must be able to ask for more. A connection on which
// writing has failed or stands still is closed, for who reads it would not notice.
func (w *watched) Write(b []byte) (int, error) {
	w.arrivals.wrote(b)
	w.begin()
	n, err := w.Conn.Write(b)
	w.end()
	w.sent.Add(int64(n))
	if err != nil {
		_ = w.Conn.Close()
	} else if w.arrivals.stray.Load() > 0 {
		w.arrivals.stray.Store(0)
	}
	return n, err
}

func (w *watched) begin() {
	w.arrivals.blocked.Store(true)
	limit := longer * w.arrivals.within
	if w.stuck == nil {
		w.stuck = time.AfterFunc(limit, w.closing)
		return
	}
	w.stuck.Reset(limit)
}

func (w *watched) end() {
	w.stuck.Stop()
	w.arrivals.blocked.Store(false)
	if w.waiting.CompareAndSwap(true, false) {
		select {
		case w.wrote <- struct{}{}:
		default: // it has been told
		}
	}
}

// Close gives back what was reserved for what will not come.
func (w *watched) Close() error {
	w.arrivals.end()
	return w.Conn.Close()
}
