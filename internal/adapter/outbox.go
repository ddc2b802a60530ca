package adapter

import (
	"errors"
	"io"
	"sync/atomic"
)

// outbox is what goes out on one stream. One goroutine writes, so that no caller ever waits for the other side to read: a
// side that stalls fills the box, and then callers are told at once.
type outbox[F any] struct {
	queue chan *letter[F]
	done  chan struct{} // closed when nothing is written any more
}

// letter is a frame on its way. Whoever claims it first, the writer or the sender, has it.
type letter[F any] struct {
	claimed atomic.Bool
	frame   F
}

func newOutbox[F any](room int) *outbox[F] {
	return &outbox[F]{queue: make(chan *letter[F], room), done: make(chan struct{})}
}

// withdraw takes a letter back. It is false when the letter was or is being written.
func (l *letter[F]) withdraw() bool {
	if l.claimed.Swap(true) {
		return false
	}
	var none F
	l.frame = none // the box keeps the letter until its turn, but not what is in it
	return true
}

// post puts a letter in the box, if there is room.
func (o *outbox[F]) post(l *letter[F]) bool {
	select {
	case o.queue <- l:
		return true
	default:
		return false
	}
}

// deliver puts a frame in the box and waits for room, until nothing is written any more.
func (o *outbox[F]) deliver(f F) {
	select {
	case o.queue <- &letter[F]{frame: f}:
	case <-o.done:
	}
}

// run writes until stop is closed, and then what is in the box. It may be called once.
func (o *outbox[F]) run(s stream[F], stop <-chan struct{}) error {
	defer close(o.done)
	for {
		select {
		case l := <-o.queue:
			if err := o.write(s, l); err != nil {
				return ended(err, stop)
			}
		case <-stop:
			return o.flush(s)
		}
	}
}

func (o *outbox[F]) flush(s stream[F]) error {
	for {
		select {
		case l := <-o.queue:
			if err := o.write(s, l); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (o *outbox[F]) write(s stream[F], l *letter[F]) error {
	if l.claimed.Swap(true) {
		return nil
	}
	return s.Send(l.frame)
}

// ended keeps quiet about io.EOF: with it gRPC says that the reader has the reason.
func ended(err error, stop <-chan struct{}) error {
	if errors.Is(err, io.EOF) {
		<-stop
		return nil
	}
	return err
}
