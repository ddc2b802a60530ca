package api

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
)

const (
	// turn is how much of an answer gRPC writes before the next of those that may be written has its turn.
	turn = 16 << 10
	// prefixed is what gRPC writes before a message.
	prefixed = 5
	// looks is how often in a write time-out it is looked whether answers are read.
	looks = 4
	// longer is how many write time-outs an answer may stand still. The system takes from who writes in lumps, of a megabyte and more on a
	// slow link.
	longer = 4
	// soon is the time between two looks at answers that were reset.
	soon = 100 * time.Millisecond
	// turnsAhead is how many turns each call of a connection may have before one of them has its first: what callers send gives turns too.
	turnsAhead = 16
)

// departures knows of the answers that have been given to a gRPC connection and are not written yet. gRPC keeps them for as long as
// the connection lives if the caller opens no window for them, and of a call that is no stream nobody hears when they are gone.
// So the frames that gRPC writes are followed too: an answer that is not small stays reserved until its last byte is written,
// and a call stays open until the last frame of it is. When answers are not read, the connection is closed.
type departures struct {
	open    *admission.Room[admission.Caller]
	within  time.Duration // of which an answer may stand still for so many
	ahead   int64         // how much of others' may be written meanwhile
	unread  func(*arrival)
	writing framing // of the one who writes
	newest  uint32  // stream that was written of
	blocked atomic.Bool
	written int64      // bytes of all answers
	resets  []*arrival // whose answers gRPC has yet to forget, in the order in which they were reset
	// forgetting says that there will be a look at them.
	forgetting bool
	timer      *time.Timer
	looking    bool // the timer runs
}

// departure is what is on its way from one call. What its handler writes before it has left is read by others only after that.
type departure struct {
	opened bool // it takes one of the calls
	done   bool // nobody handles it any more
	ended  bool // its last frame was written, or gRPC has forgotten it
	// latest is the last stream that something had been heard of when this one was reset, as gRPC answers some frames of streams that
	// have not begun; and idle whether nobody was writing at the last look since.
	latest  uint32
	idle    bool
	handed  atomic.Int64
	written int64  // of what was handed to gRPC
	debts   []debt // in the order of their ends
	// stands is since when nothing of an answer went, zero while that is not known; was and all are what had been written of the call
	// and of its connection then, and due what had been handed over.
	stands        time.Time
	was, all, due int64
}

// debt is what is reserved for an answer until so much has been written.
type debt struct {
	end int64
	n   int
}

// cover makes a pledge one for an answer, unless that is small. What has been done is not declined any more for want of room: the
// caller would have it done again. It has no room for its next requests instead.
func (p *pledge) cover(answer mem.BufferSlice) {
	n := answer.Len()
	if n <= small {
		return
	}
	p.shorten()
	_, size := class(n)
	p.room.Settle(p.caller, p.n, size)
	p.n = size
}

// opens says that the call takes one of those that may be open, and gives it back by itself. It does not where nobody follows.
func (c *arrival) opens() bool {
	if c == nil {
		return false
	}
	c.opened = true
	return true
}

// owe takes over what is reserved for an answer that gRPC will be given next, nothing for a small one. Where nobody follows, it does not.
func (c *arrival) owe(answer mem.BufferSlice, kept *pledge) {
	if c == nil {
		return
	}
	end := c.handed.Add(int64(prefixed + answer.Len()))
	if answer.Len() <= small {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if !c.ended {
		c.debts = append(c.debts, debt{end, kept.n})
		kept.n = 0
	}
}

// leave is told when the handler has ended.
func (c *arrival) leave() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.drop()
	c.done, c.stands = true, time.Time{}
	if c.ended {
		c.release()
	}
}

// reset is told that the caller wants no more of a stream. What gRPC has of its answers it forgets in its turn, which a caller that reads
// nothing keeps from coming: before it writes of a stream that has not begun yet.
func (a *arrivals) reset(stream uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.calls[stream]
	switch {
	case c == nil || c.latest > 0:
	case c.handed.Load() <= c.written:
		c.depart()
	default:
		c.latest = a.seen
		a.resets = append(a.resets, c)
		a.forgetSoon()
	}
}

// begins is told that something of a stream is written of which nothing was before.
func (a *arrivals) begins(stream uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.resets) > 0 && a.resets[0].latest < stream {
		a.resets[0].depart()
		a.resets = a.resets[1:]
	}
}

// forget gives up the resets that gRPC has had time to come to: nobody was writing, at two looks.
func (a *arrivals) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	idle := !a.blocked.Load()
	a.resets = slices.DeleteFunc(a.resets, func(c *arrival) bool {
		if !c.ended && idle && c.idle {
			c.depart()
		}
		c.idle = idle
		return c.ended
	})
	a.forgetting = false
	if len(a.resets) > 0 {
		a.forgetSoon()
	}
}

func (a *arrivals) forgetSoon() {
	if !a.forgetting {
		a.forgetting = true
		time.AfterFunc(soon, a.forget)
	}
}

// wrote follows what gRPC writes.
func (a *arrivals) wrote(out []byte) {
	f := &a.writing
	var stream uint32
	var sum int
	for len(out) > 0 {
		data, n, whole := f.next(out)
		out = out[n:]
		if whole && f.stream > a.newest {
			a.newest = f.stream
			a.begins(f.stream)
		}
		last := whole && f.last
		if len(data) == 0 && !last {
			continue
		}
		if f.stream != stream {
			a.went(stream, sum, false)
			stream, sum = f.stream, 0
		}
		if sum += len(data); last {
			a.went(stream, sum, true)
			sum = 0
		}
	}
	a.went(stream, sum, false)
}

// went is told of so many bytes of a stream, which may be its last.
func (a *arrivals) went(stream uint32, n int, last bool) {
	if n == 0 && !last {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written += int64(n)
	c := a.calls[stream]
	if c == nil {
		return
	}
	if c.pay(n); last {
		c.depart()
	}
}

// pay gives back what was reserved for answers of which the last byte has now been written.
func (c *arrival) pay(n int) {
	c.written += int64(n)
	for len(c.debts) > 0 && c.debts[0].end <= c.written {
		c.of.room.Give(c.of.caller, c.debts[0].n)
		c.debts = c.debts[1:]
	}
}

// depart gives back what the answers hold, and what had come: there is nothing more to write, and gRPC has forgotten the call.
func (c *arrival) depart() {
	delete(c.of.calls, c.id)
	c.drop()
	c.ended = true
	for _, d := range c.debts {
		c.of.room.Give(c.of.caller, d.n)
	}
	c.debts = nil
	rest := c.pledged(c.held)
	rest.give()
	c.held = 0
	c.wasted.give()
	if c.done {
		c.release()
	}
}

// release gives the call back, which its handler has left and of which everything has been written.
func (c *arrival) release() {
	if c.opened {
		c.of.open.Leave(c.of.caller)
		c.opened = false
	}
}

// watchAnswers has a look at the answers from time to time while there are calls.
func (a *arrivals) watchAnswers() {
	switch {
	case a.looking:
		return
	case a.timer == nil:
		a.timer = time.AfterFunc(a.within/looks, a.lookAtAnswers)
	default:
		a.timer.Reset(a.within / looks)
	}
	a.looking = true
}

// lookAtAnswers ends the streams of which an answer is not read, and the connection if that does not help.
func (a *arrivals) lookAtAnswers() {
	for _, c := range a.notRead(time.Now()) {
		a.unread(c)
	}
}

// notRead are the calls of which an answer is late. Each is named once in the time an answer has.
func (a *arrivals) notRead(now time.Time) (late []*arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looking = false
	for _, c := range a.calls {
		switch {
		case !c.owes():
			c.stands = time.Time{}
		case c.stands.IsZero() || c.moved():
			c.stands, c.was, c.all, c.due = now, c.written, a.written, c.handed.Load()
		case now.Sub(c.stands) >= longer*a.within && !a.waits(c):
			late = append(late, c)
			c.stands = time.Time{}
		}
	}
	if len(a.calls) > 0 {
		a.watchAnswers()
	}
	return late
}

// isDone says whether its handler has ended.
func (c *arrival) isDone() bool {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	return c.done
}

// owes says that something has to be written for a call.
func (c *arrival) owes() bool { return c.done || c.handed.Load() > c.written }

// moved says that an answer goes.
func (c *arrival) moved() bool { return c.written-c.was >= turn || !c.done && c.written >= c.due }

// waits says that the connection is slow, and it may not have been the answer's turn since it stands; the turn of one that was reset
// never comes.
func (a *arrivals) waits(c *arrival) bool {
	gone := a.written - c.all
	return gone >= int64(leastSent*longer*a.within/time.Second) && (gone < a.ahead || c.latest > 0)
}

// unreadOf ends what has answers that a caller does not read: a stream, or the connection when there is no handler any more that
// could be told.
func (d *Door) unreadOf(by cpm.Principal, conn net.Conn) func(*arrival) {
	return func(c *arrival) {
		if !c.isDone() {
			c.stop()
			d.unread(c.call, "stream", by)
			return
		}
		d.unread(c.call, "connection", by)
		_ = conn.Close()
	}
}

// unread says what was ended because its answers are not read, a stream or a connection, of each once a second.
func (d *Door) unread(ctx context.Context, what string, by cpm.Principal, more ...slog.Attr) {
	skipped, ok := d.sampler.Pass("port.unread " + what)
	if !ok {
		return
	}
	d.log.LogAttrs(ctx, slog.LevelWarn, "answers are not read", append(more, obs.Event("port.unread"), slog.String("ended", what),
		slog.String("caller", callerName(by)), slog.String("address", by.Address), skippedLines(skipped))...)
}
