package operator

import (
	"io"
	"mime"
	"net/http"
	"slices"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Request is one command as operators send it.
type Request struct {
	// Command is Shutdown, Startup, RefreshConfig, RefreshKeys or Status.
	Command cpm.CommandName `json:"command"`
	// Adapter is the adapter it is about; empty for the whole system.
	Adapter string `json:"adapter,omitempty"`
}

// read takes a request of at most limit bytes from a JSON body.
func read(r *http.Request, limit int) (Request, *fault.Error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return Request{}, fault.New(fault.Invalid, "Content-Type must be application/json")
	}
	if r.ContentLength > int64(limit) {
		return Request{}, tooLarge(limit)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	switch {
	case err != nil:
		return Request{}, fault.New(fault.Invalid, "the body ended early or did not arrive in time").Because(err)
	case len(body) > limit:
		return Request{}, tooLarge(limit)
	}
	return decode(body)
}

func tooLarge(limit int) *fault.Error {
	return fault.New(fault.TooLarge, "a command has at most %d bytes", limit)
}

// decode reads a command that is one JSON object with one meaning, the members command and adapter, and nothing else.
func decode(body []byte) (Request, *fault.Error) {
	doc, err := canon.Parse(body)
	switch {
	case err != nil:
		return Request{}, fault.New(fault.Invalid, "the body is one JSON object").Because(err)
	case !doc.IsObject():
		return Request{}, fault.New(fault.Invalid, "the body is one JSON object")
	}
	if err := doc.Ambiguous(); err != nil {
		return Request{}, fault.New(fault.Invalid, "the body can be read in two ways").Because(err)
	}
	var q Request
	for name, value := range doc.Members() {
		if e := q.member(name, value); e != nil {
			return Request{}, e
		}
	}
	if q.Command == "" {
		return Request{}, fault.New(fault.Missing, "the body has no command")
	}
	return q, nil
}

func (q *Request) member(name string, value canon.Value) *fault.Error {
	text, isText := value.Text()
	switch name {
	case "command":
		if !isText || !slices.Contains(cpm.Commands(), cpm.CommandName(text)) {
			return fault.New(fault.Invalid, "command is one of Shutdown, Startup, RefreshConfig, RefreshKeys and Status")
		}
		q.Command = cpm.CommandName(text)
	case "adapter":
		if !isText || !cpm.ValidName(text) {
			return fault.New(fault.Invalid, "adapter is the name of an adapter; leave it out for the whole system")
		}
		q.Adapter = text
	default:
		return fault.New(fault.Invalid, "a command has the members command and adapter, and nothing else")
	}
	return nil
}
