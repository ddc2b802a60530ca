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
	// headersHold is what gRPC may hold of HEADERS, whatever their size: it says in its answer what it does not like of them, in escapes.
	// Of a call that it takes it is callHolds, which has no such answer, and there are no more of them than a connection may have.
	headersHold, callHolds = 4 * metadataBytes, 2 << 10
	// frameHolds is what it holds of another frame beside its bytes, at most.
	frameHolds = 128
	// mostBeside is how much gRPC may hold of frames that were read while one piece of answers was being written. It is more than
	// comes in the time that takes with a caller who reads.
	mostBeside = 16 * headersHold
	// besideGain is how much of that each frame makes up for that is read at another time, in those of its kind.
	besideGain = 2
)

// watched is a gRPC connection whose frames are followed. gRPC reads it without a buffer of its own, so that what was read last is
// what gRPC is at.
//
// Whoever does not read is not read. Nearly every frame but DATA has gRPC queue something to be written, an answer, an acknowledgement, the
// end of a call with all it holds, and it takes thousands of them without counting their bytes. So while a caller takes nothing, no more
// than a few frames are read, and later about as many as something is written. Of DATA the arrivals keep account.
type watched struct {
	net.Conn
	ahead    *bufio.Reader
	arrivals *arrivals
	sent     *atomic.Int64
	closing  func() // when nothing could be written for too long

	beside  int // what gRPC may hold of frames that were read while something was being written
	charged int // of that, of the last HEADERS
	waiting atomic.Bool
	wrote   chan struct{} // is told of the end of a writing, when there is one who waits
	stuck   *time.Timer
}

func (w *watched) Read(b []byte) (int, error) {
	if f := &w.arrivals.framing; f.preface == 0 && f.have == 0 {
		if head, err := w.ahead.Peek(len(f.head)); err == nil {
			w.keepAbreast(holds(head))
		}
	}
	n, err := w.ahead.Read(b)
	if !w.arrivals.see(b[:n]) {
		return 0, errStray
	}
	return n, err
}

// holds is what gRPC may hold of a frame until something is written, by its head.
func holds(head []byte) int {
	switch kind := head[3]; kind {
	case dataFrame:
		return 0
	case headersFrame, continuationFrame:
		return headersHold
	default:
		return sizeOf(head) + frameHolds
	}
}

// keepAbreast waits before a frame of which gRPC may hold so much, when it holds too much of those beside what is being written.
func (w *watched) keepAbreast(n int) {
	writing := &w.arrivals.blocked
	if w.arrivals.accepted {
		w.beside -= max(0, w.charged-callHolds)
	}
	w.arrivals.accepted, w.charged = false, 0
	switch {
	case n == 0:
	case !writing.Load():
		w.beside = max(0, w.beside-besideGain*n)
	case w.beside+n <= mostBeside:
		w.beside += n
		w.charged = n
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
