package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/fault"
)

// exchange is one HTTP request and its answer.
type exchange struct {
	inquiry
	door *Door
	w    http.ResponseWriter
	r    *http.Request
	// allow is the method the path takes, when the request had another.
	allow string
	// unread says that the body has not been read to its end; late that the caller was too slow to send it.
	unread, late bool
	written      bool
	// batched says that the request is one: what is reserved for its body, kept, stays so when it has been decoded.
	batched bool
	kept    pledge
	// size is the length of the body that was read, held how many bytes were taken to read it.
	size, held int
}

// receive reads the body and decodes it into m.
func (x *exchange) receive(limit int, s *shape, m proto.Message) *fault.Error {
	if !jsonType(x.r.Header.Get("Content-Type")) {
		return fault.New(fault.Invalid, "Content-Type must be application/json")
	}
	b := body{exchange: x, limit: limit}
	if x.r.ContentLength < 0 {
		b.limit = min(limit, x.door.limits.Unannounced)
	}
	defer b.release()
	if e := b.read(); e != nil {
		return e
	}
	x.size = len(*b.in)
	return decodeJSON(*b.in, s, m)
}

// body is the body of a request being read. What it holds is reserved first, in the amount all requests share.
type body struct {
	*exchange
	limit    int
	reserved pledge
	in       *[]byte
}

func (b *body) read() *fault.Error {
	// A body that is still on its way when requests are waited for no longer is waited for no longer, too.
	defer context.AfterFunc(b.r.Context(), func() {
		_ = http.NewResponseController(b.w).SetReadDeadline(time.Now())
	})()
	if b.r.ContentLength > int64(b.limit) {
		return b.tooLong()
	}
	if e := b.grow(int(max(b.r.ContentLength, smallest))); e != nil {
		return e
	}
	for {
		in := *b.in
		n, err := b.r.Body.Read(in[len(in):min(cap(in), b.limit+1)])
		*b.in = in[:len(in)+n]
		switch {
		case len(*b.in) > b.limit:
			return b.tooLong()
		case err == io.EOF:
			b.unread = false
			b.settle()
			return nil
		case err != nil:
			return b.broken(err)
		case len(*b.in) == cap(in):
			if e := b.grow(min(2*cap(in), b.limit+1)); e != nil {
				return e
			}
		}
	}
}

func (b *body) tooLong() *fault.Error {
	if b.r.ContentLength < 0 {
		return tooLarge("the request has more than %d bytes and no Content-Length; send one, or less", b.limit)
	}
	return tooLarge("the request has more than %d bytes", b.limit)
}

// grow gives the body room for n bytes. A body of known length grows once.
func (b *body) grow(n int) *fault.Error {
	more, ok := reserve(b.door.reading, admission.CallerOf(b.caller), n, b.batched, smallest)
	if !ok {
		return tooMuchRead()
	}
	larger := b.door.buffers.get(n)
	if b.in != nil {
		*larger = append(*larger, *b.in...)
		b.door.buffers.put(b.in)
	}
	b.reserved.give()
	b.in, b.reserved = larger, more
	b.held += n
	return nil
}

// settle lifts the deadline of the body: while the operation is under way, the server reads on to notice a caller that
// leaves, and would take the deadline for one.
func (b *body) settle() { _ = http.NewResponseController(b.w).SetReadDeadline(time.Time{}) }

func (b *body) broken(err error) *fault.Error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.late = true
		return fault.New(fault.Timeout, "the request did not arrive in time").Because(err)
	}
	return fault.New(fault.Invalid, "the request body ended early or cannot be read").Because(err)
}

func (b *body) release() {
	if b.in != nil {
		b.door.buffers.put(b.in)
		b.in = nil
	}
	if b.batched {
		b.kept, b.reserved = b.reserved, pledge{}
	}
	b.reserved.give()
}

// send answers with a message, unless it cannot be written.
func (x *exchange) send(status int, s *shape, m proto.Message) *fault.Error {
	// Answers are about as long as their requests.
	out := x.door.buffers.get(smallest + x.size)
	defer func() { x.door.buffers.put(out) }()
	text, err := appendJSON(*out, s, m)
	*out = text
	if err != nil {
		return x.door.explain(x.r.Context(), &x.inquiry, err)
	}
	if status == http.StatusOK {
		x.door.conclude(x.r.Context(), &x.inquiry, nil)
	}
	x.write(status, text)
	return nil
}

// decline answers with e, in the shape of a Mojaloop error.
func (x *exchange) decline(e *fault.Error) {
	x.door.conclude(x.r.Context(), &x.inquiry, e)
	status := e.Kind.Code().HTTP
	message := e.Message(x.id)
	if x.allow != "" {
		status = http.StatusMethodNotAllowed
		x.w.Header().Set("Allow", x.allow)
		message.ErrorInformation.ErrorCode = "3000"
		message.ErrorInformation.ErrorDescription = "Generic client error - " + e.Public
	}
	if e.RetryAfter > 0 {
		x.w.Header().Set("Retry-After", retryAfter(e))
	}
	if again := x.send(status, x.door.shapes.failure, message); again != nil {
		x.write(http.StatusInternalServerError, nil)
	}
}

// retryAfter is the header's value: whole seconds, rounded up.
func retryAfter(e *fault.Error) string {
	return strconv.Itoa(int((e.RetryAfter + time.Second - 1) / time.Second))
}

// write sends an answer of JSON.
func (x *exchange) write(status int, text ...[]byte) { x.writeAs(status, "application/json", text...) }

// writeAs sends the answer, in parts. One without content has no media type.
func (x *exchange) writeAs(status int, media string, text ...[]byte) {
	x.written = true
	control := http.NewResponseController(x.w)
	_ = control.SetWriteDeadline(time.Now().Add(x.door.limits.WriteTimeout))
	abandoned := x.unread && (x.late || x.r.ContentLength < 0 || x.r.ContentLength > serverReads)
	h := x.w.Header()
	h["X-Request-Id"] = []string{x.id}
	if media != "" {
		h["Content-Type"] = []string{media}
		size := 0
		for _, part := range text {
			size += len(part)
		}
		h["Content-Length"] = []string{strconv.Itoa(size)}
	}
	if abandoned || x.door.gate.declining.Load() {
		h["Connection"] = []string{"close"}
	}
	if abandoned {
		// Without full duplex the server would read part of the body before it lets the answer go.
		_ = control.EnableFullDuplex()
	}
	x.w.WriteHeader(status)
	for _, part := range text {
		_, _ = x.w.Write(part)
	}
	if abandoned {
		x.discard(control)
	}
}

// serverReads is how much of an unread body net/http reads by itself to keep the connection.
const serverReads = 256 << 10

// discard reads what the caller is still sending, within bounds. A caller that is busy sending does not look for an
// answer, and closing the connection on it could destroy the one it has.
func (x *exchange) discard(control *http.ResponseController) {
	if control.Flush() != nil || x.late || x.r.Header.Get("Expect") != "" {
		return
	}
	_ = control.SetReadDeadline(time.Now().Add(x.door.limits.ReadTimeout))
	_, _ = io.CopyN(io.Discard, x.r.Body, 2*int64(x.door.limits.Batch))
}
