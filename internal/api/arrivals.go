package api

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/fault"
)

const (
	// small is the size of a gRPC message that may arrive without being counted: of each call there is at most a window of them.
	small = 16 << 10
	// fewPieces and leastPiece bound the number of frames in which a message comes: each costs memory beside its bytes.
	fewPieces, leastPiece = 64, 512
	// besideFrame is what gRPC holds of a frame beside its bytes, to which padding belongs. It makes one of small frames.
	besideFrame = 128
	// frameSlack is how much more than its bytes the frames of a message may take uncounted: the last one is not full.
	frameSlack = 64 << 10
	// mostLate is how much gRPC may hold of what comes for a call after the refusal of a message, mostLeft beside what is reserved of what
	// comes when its handler has left. Less comes from who keeps to the window, in frames that are not small and of messages that are not.
	mostLate, mostLeft = 2 * streamWindow, 8 * streamWindow
	// mostStray is how many bytes may come, between two writings, for calls that have ended. Who is told so and stops sending
	// has no more under way than the window of its connection.
	mostStray = 2 * connectionWindow
	// leastRate is how much of a message of a stream has to come in a second.
	leastRate = 16 << 10
)

// arrivals knows of the messages that are on their way to a gRPC connection. gRPC opens the window for all of a message as soon
// as it knows how long it is and tells nobody before it is there. So the frames are followed beside it: a message that is not
// small is reserved, in the amount all requests share, when its length is known, and the call ends when there is no room.
type arrivals struct {
	room     *admission.Room[admission.Caller]
	caller   admission.Caller
	pace     *pace
	longest  int           // message that gRPC takes
	patience time.Duration // for a message of a stream to be whole
	framing  framing       // of the one who reads
	seen     uint32        // the last stream of its frames, which need not have begun
	accepted bool          // the frame that was read last began a call
	stray    atomic.Int64

	departures

	mu    sync.Mutex // guards what follows, the arrivals, and the departures
	calls map[uint32]*arrival
	over  bool
}

// arrivalsAt are those of a connection of a caller, which is read at a pace.
func (d *Door) arrivalsAt(c admission.Caller, on *pace) *arrivals {
	return &arrivals{
		room: d.reading, caller: c, pace: on, longest: d.limits.Batch, patience: d.limits.ReadTimeout,
		framing: framing{preface: prefaceBytes}, calls: map[uint32]*arrival{},
		departures: departures{open: d.calls, within: d.limits.WriteTimeout, ahead: int64(turnsAhead * turn * d.limits.CallsPerConnection)},
	}
}

// arrival is what is on its way to one call, and from it.
type arrival struct {
	departure

	of     *arrivals
	id     uint32
	stream bool // of many messages
	batch  bool // its message is one
	call   context.Context
	stop   context.CancelFunc // ends the reading of the call
	// told is closed when a message is let in, if it is the only one, or when it is not; then refused says why.
	told chan struct{}
	// turns is odd while the call waits for a message.
	turns atomic.Int64
	// entered counts the messages of a stream that were let in, and its end; news is told of it. Asked is for how many of them the call
	// has asked.
	entered atomic.Int64
	news    chan struct{}
	asked   int64

	refused *fault.Error
	beyond  int           // bytes that came after that, or after the handler had left
	full    bool          // they are too many
	flooded chan struct{} // closed then
	known   bool          // told is closed
	prefix  [5]byte
	have    int // bytes of prefix
	size    int // of the message that is on its way
	left    int // how much of it is missing
	pieces  int
	taken   int    // memory that gRPC takes for its frames
	wasted  pledge // of that, what is reserved beyond the bytes of the message
	held    int    // bytes reserved that the call has not taken over
	timer   *time.Timer
	since   time.Time // when the timer last began; zero while the message need not be waited for
	turn    int64     // of turns at that time
	mark    int       // what was missing of the message then, or when it was announced
	dropped bool      // nothing is awaited any more
	// nothing is for how long nothing of the message has come though the call waits.
	nothing time.Duration
}

// begin is told of a call whose HEADERS have just been read.
func (a *arrivals) begin(call context.Context, stop context.CancelFunc, stream bool) *arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return nil
	}
	c := &arrival{of: a, id: a.framing.stream, stream: stream, call: call, stop: stop, told: make(chan struct{})}
	if stream {
		c.flooded, c.news = make(chan struct{}), make(chan struct{}, 1)
	}
	if a.framing.ends {
		c.let()
	}
	a.calls[c.id], a.accepted = c, true
	a.watchAnswers()
	context.AfterFunc(call, c.quit) // gRPC answers some calls by itself, and no handler hears of them
	return c
}

// see follows what was read, and says whether the connection may go on.
func (a *arrivals) see(in []byte) bool {
	for len(in) > 0 {
		data, n, whole := a.framing.next(in)
		in = in[n:]
		piece := whole && a.framing.data // in a padded frame the padding is last, not the data
		if len(data) > 0 || piece {
			if !a.take(data, piece, piece && a.framing.ends) {
				return false
			}
		}
		if whole {
			a.seen = max(a.seen, a.framing.stream)
			if a.framing.reset {
				a.reset(a.framing.stream)
			}
		}
	}
	return true
}

// take takes data of the stream that is read.
func (a *arrivals) take(data []byte, whole, ends bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.calls[a.framing.stream]
	if c == nil || c.dropped || c.refused != nil {
		if whole && !c.late(a.framing.size) {
			return false
		}
		return a.stray.Add(int64(len(data))) <= mostStray
	}
	if c.take(data); whole {
		c.pieces++
		c.charge(a.framing.size)
	}
	c.watch()
	if ends {
		c.let()
	}
	return true
}

// end gives everything back: the connection is closed.
func (a *arrivals) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for _, c := range a.calls {
		c.depart()
	}
	if a.timer != nil {
		a.timer.Stop()
	}
}

// take follows the messages of a call.
func (c *arrival) take(data []byte) {
	for len(data) > 0 && c.refused == nil {
		if c.left > 0 {
			n := min(c.left, len(data))
			c.left -= n
			data = data[n:]
			continue
		}
		if c.have == 0 {
			c.pieces = 0
		}
		n := copy(c.prefix[c.have:], data)
		data = data[n:]
		if c.have += n; c.have == len(c.prefix) {
			c.have = 0
			c.announced(int(binary.BigEndian.Uint32(c.prefix[1:])))
		}
	}
}

// announced reserves a message, or refuses it. What is too long gRPC refuses by itself, before it lets it come.
func (c *arrival) announced(n int) {
	c.size, c.left, c.mark, c.taken = n, n, n, 0
	if n > small && n <= c.of.longest {
		if _, ok := reserve(c.of.room, c.of.caller, n, c.batch, small); !ok {
			c.refuse(tooMuchRead())
			return
		}
		c.held += n
	}
	c.let()
}

// charge reserves what gRPC takes for a frame of the message, when all of them take more than the message has bytes. Once the message is
// whole it has been read, or all of it is within the window.
func (c *arrival) charge(frame int) {
	if c.refused != nil || c.size <= small || c.size > c.of.longest {
		return
	}
	c.taken += memoryOf(frame)
	if more := c.taken - c.size - c.wasted.n; more > frameSlack {
		if !c.of.room.Take(c.of.caller, more) {
			c.refuse(tooMuchRead())
			return
		}
		c.wasted = pledge{room: c.of.room, caller: c.of.caller, n: c.wasted.n + more}
	}
	if c.left == 0 {
		c.wasted.give()
	}
}

// memoryOf is what gRPC takes for a frame: its pool has slices of 4 and of 16 KiB, which is the largest frame.
func memoryOf(frame int) int {
	switch {
	case frame <= 1<<10:
		return frame + besideFrame
	case frame <= 4<<10:
		return 4 << 10
	default:
		return 16 << 10
	}
}

// let lets the call read a message, or the end of its stream.
func (c *arrival) let() {
	if !c.stream {
		c.tell()
		return
	}
	c.entered.Add(1)
	select {
	case c.news <- struct{}{}:
	default: // it has yet to hear of the last
	}
}

// watch bounds how a message that is not whole yet comes: in how many pieces, and of a stream also in what time.
func (c *arrival) watch() {
	partial := c.left > 0 || c.have > 0
	switch {
	case c.refused != nil:
	case partial && c.pieces > fewPieces+c.size/leastPiece:
		c.refuse(fault.New(fault.Invalid, "the message comes in too many pieces"))
	case !partial:
		c.since = time.Time{}
	case c.stream && c.since.IsZero():
		c.since, c.turn, c.nothing = time.Now(), c.turns.Load(), 0
		if c.timer == nil {
			c.timer = time.AfterFunc(c.of.patience, c.look)
		} else {
			c.timer.Reset(c.of.patience)
		}
	}
}

// look refuses a message that did not come for so long, without an excuse.
func (c *arrival) look() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.since.IsZero() || c.refused != nil {
		return
	}
	if rest := c.of.patience - time.Since(c.since); rest > 0 {
		c.timer.Reset(rest)
		return
	}
	if c.excused() {
		c.since, c.turn, c.mark = time.Now(), c.turns.Load(), c.left
		c.timer.Reset(c.of.patience)
		return
	}
	c.refuse(fault.New(fault.Timeout, "the request did not arrive in time"))
}

// excused says that the message is late because its call had something else to do, because there is much of it, or because its connection
// is read slowly on account of declines. A caller can see to that for ever, so it is an excuse for no longer than a pause when nothing comes.
func (c *arrival) excused() bool {
	turn, came, nothing := c.turns.Load(), c.mark-c.left, c.nothing
	c.nothing = 0
	if turn%2 == 0 || turn != c.turn || time.Duration(came)*time.Second >= leastRate*c.of.patience {
		return true
	}
	if came == 0 {
		c.nothing = nothing + time.Since(c.since)
	}
	return nothing < longest && c.of.pace.pause() > 0
}

func (c *arrival) refuse(e *fault.Error) {
	c.refused = e
	if c.known {
		c.stop()
	}
	c.tell()
}

// late counts a frame that comes after the refusal, or after the handler has left: gRPC holds it until the last of the answers is written.
// When it holds too much, the call does not wait for its answers any longer, and then the connection may not go on.
func (c *arrival) late(size int) bool {
	if c == nil {
		return true
	}
	c.beyond += size + besideFrame
	if c.stream && !c.full && c.beyond > mostLate {
		c.full = true
		close(c.flooded)
	}
	return !c.dropped || c.beyond <= c.held+mostLeft
}

func (c *arrival) tell() {
	if !c.known {
		c.known = true
		close(c.told)
	}
}

// quit is told when the context of the call has ended.
func (c *arrival) quit() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.drop()
}

func (c *arrival) drop() {
	c.dropped = true
	c.since = time.Time{}
	if c.timer != nil {
		c.timer.Stop()
	}
}
