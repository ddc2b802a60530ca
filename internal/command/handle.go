package command

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// requestIDHeader carries the id under which the log knows a request.
const requestIDHeader = "X-Request-Id"

// call is one request on its way through the door.
type call struct {
	*http.Request
	caller cpm.Principal
	id     string
}

// answer does what a path is for; its value becomes the JSON body.
type answer func(c *call) (any, error)

// handler checks the caller, then answers or declines.
func (d *Door) handler(do answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, id: obs.NewRequestID()}
		var err error
		if c.caller, err = d.caller(r.RemoteAddr); err != nil {
			d.decline(w, c, err)
			return
		}
		body, err := do(c)
		if err != nil {
			d.decline(w, c, err)
			return
		}
		var text bytes.Buffer
		if err := encode(&text, body); err != nil {
			d.decline(w, c, err)
			return
		}
		send(w, c.id, http.StatusOK, text.Bytes())
	})
}

// caller is the principal behind a connection, if it may come in.
func (d *Door) caller(remote string) (cpm.Principal, error) {
	uid, known := uidOf(remote)
	if !known || !d.admit(uid) {
		return cpm.Principal{}, fault.New(fault.Denied, "only the user this CPM runs as, and root, may administer it here")
	}
	return cpm.Principal{Kind: cpm.PrincipalSocket, Name: remote, Address: remote}, nil
}

// encode writes v as compact JSON without HTML escapes.
func encode(text *bytes.Buffer, v any) error {
	e := json.NewEncoder(text)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// failure is the body of a decline.
type failure struct {
	ErrorInformation json.RawMessage `json:"errorInformation"`
	RequestID        string          `json:"requestId"`
	// Message is the whole public text.
	Message string `json:"message"`
}

func (d *Door) decline(w http.ResponseWriter, c *call, err error) {
	e := fault.From(err)
	d.log.LogAttrs(c.Context(), slog.LevelWarn, "request declined", obs.Event("command.declined"), obs.RequestID(c.id),
		slog.String("caller", c.RemoteAddr), obs.Kind(e.Kind), obs.Err(e))
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	var text bytes.Buffer
	_ = encode(&text, failure{information(e), c.id, e.Public}) // three texts of our own always encode
	send(w, c.id, e.Kind.Code().HTTP, text.Bytes())
}

// information is e's errorInformation. protojson puts spaces where it likes; the encoder of failure takes them out.
func information(e *fault.Error) json.RawMessage {
	text, err := protojson.Marshal(e.Information())
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

func send(w http.ResponseWriter, id string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set(requestIDHeader, id)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
