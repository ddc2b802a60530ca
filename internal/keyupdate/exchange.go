package keyupdate

import (
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"os"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// The paths of the door.
const (
	PathUpdates   = "/v1/key-updates"
	PathBatch     = "/v1/key-updates/batch"
	PathImportKey = "/v1/import-key"
)

// exchange is one HTTP request and its answer.
type exchange struct {
	adapter *Adapter
	w       http.ResponseWriter
	r       *http.Request
	id      string
	// allow is the method the path takes, when the request had another.
	allow string
	// reserved is what the body was given of the memory of all.
	reserved int
	// quiet says that a decline is no news: the request before it was declined for the same reason. It is a debug line.
	quiet bool
}

// serve goes the steps of the specification: the state first, then what it is, then the core.
func (x *exchange) serve() {
	a := x.adapter
	if err := a.gate.enter(); err != nil {
		x.decline(err)
		return
	}
	defer a.gate.leave()
	defer func() { a.memory.give(x.reserved) }()
	defer x.recover()
	if err := x.limit(1); err != nil {
		x.decline(err)
		return
	}
	switch x.r.URL.Path {
	case PathUpdates:
		x.only(http.MethodPost, x.update)
	case PathBatch:
		x.only(http.MethodPost, x.batch)
	case PathImportKey:
		x.only(http.MethodGet, x.importKey)
	default:
		x.reject(fault.New(fault.NotFound, "there is no such path; key updates go to %s", PathUpdates))
	}
}

// recover answers when a bug would have left the caller without one.
func (x *exchange) recover() {
	if v := recover(); v != nil {
		x.adapter.log.LogAttrs(x.r.Context(), slog.LevelError, "a request ended in a panic", obs.Event("keyupdate.panic"),
			obs.RequestID(x.id), slog.Any("panic", v))
		x.decline(fault.New(fault.Internal, "internal error, see the log under the request id"))
	}
}

func (x *exchange) only(method string, do func()) {
	if x.r.Method != method {
		x.allow = method
		x.reject(fault.New(fault.Invalid, "this path takes %s", method))
		return
	}
	do()
}

// limit takes n requests out of the caller's allowance.
func (x *exchange) limit(n int) error {
	v := x.adapter.rates.take(x.address(), n, x.adapter.setup.load())
	if v.ok {
		return nil
	}
	x.quiet = !v.first
	return fault.New(fault.Busy, "too many requests from this address; nothing was done").After(v.wait)
}

// update is one key update.
func (x *exchange) update() {
	jws, err := x.body("application/jose", maxUpdate)
	if err != nil {
		x.reject(err)
		return
	}
	answer, err := x.perform(jws)
	if err != nil {
		x.send(err)
		return
	}
	x.answer(http.StatusOK, answer)
}

// batch is several key updates, done one after another: those of one FSP have an order.
func (x *exchange) batch() {
	body, err := x.body("application/json", maxBatch)
	if err != nil {
		x.reject(err)
		return
	}
	updates, err := readBatch(body)
	if err != nil {
		x.reject(err)
		return
	}
	if more := len(updates) - 1; more > 0 {
		if err := x.limit(more); err != nil {
			x.decline(err)
			return
		}
	}
	answers := make([]any, len(updates))
	for i, jws := range updates {
		answer, err := x.perform([]byte(jws))
		if err != nil {
			answers[i] = x.failure(fault.From(err))
			continue
		}
		answers[i] = answer
	}
	x.answer(http.StatusOK, batchAnswer{answers})
}

// body reads what the request carries, within a limit and within the memory all requests share.
func (x *exchange) body(contentType string, limit int) ([]byte, error) {
	given, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || given != contentType {
		return nil, fault.New(fault.Invalid, "Content-Type must be %s", contentType)
	}
	if x.r.ContentLength > int64(limit) {
		return nil, tooLarge(limit)
	}
	room := limit
	if x.r.ContentLength >= 0 {
		room = int(x.r.ContentLength)
	}
	if !x.adapter.memory.take(room) {
		return nil, fault.New(fault.Busy, "too many bytes of requests at once; nothing was done").After(retryAfter)
	}
	x.reserved = room
	text, err := io.ReadAll(io.LimitReader(x.r.Body, int64(limit)+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fault.New(fault.Timeout, "the request did not arrive in time").Because(err)
	case err != nil:
		return nil, fault.New(fault.Invalid, "the request body ended early or cannot be read").Because(err)
	case len(text) > limit:
		return nil, tooLarge(limit)
	}
	return text, nil
}

// address is the caller's, as the connection has it. A header could say anything.
func (x *exchange) address() netip.Addr {
	p, err := netip.ParseAddrPort(x.r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// credential is what the caller has shown of itself beside the signature.
func (x *exchange) credential() *cpmv1.Credential {
	c := &cpmv1.Credential{Address: x.address().String()}
	if t := x.r.TLS; t != nil && len(t.VerifiedChains) > 0 {
		leaf := t.VerifiedChains[0][0]
		c.CertificateNames = append(c.CertificateNames, leaf.DNSNames...)
		for _, u := range leaf.URIs {
			c.CertificateNames = append(c.CertificateNames, u.String())
		}
	}
	return c
}
