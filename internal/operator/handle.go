package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Path is where commands are sent.
const Path = "/v1/commands"

// exchange is one request and its answer.
type exchange struct {
	*Door
	w       http.ResponseWriter
	r       *http.Request
	id      string
	address netip.Addr
	begun   time.Time

	credential credential
	request    Request
	// repeated says that the caller goes on although it was told to wait: once in the log is enough.
	repeated bool
}

// ServeHTTP answers one request exactly once.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Door: d, w: w, r: r, id: d.config.NewID(), address: peer(r), begun: d.config.Now()}
	if e := x.admit(); e != nil {
		x.decline(e)
		return
	}
	request, e := read(r, d.limits.Body)
	if e != nil {
		x.invalid(e)
		return
	}
	x.request = request
	x.log.LogAttrs(x.context(), obs.LevelAudit, "a command was sent to the adapter", x.attrs("command.received")...)
	in, state := d.accept()
	if in == nil {
		x.declineCommand(shuttingDown(state))
		return
	}
	// Its answer is on its way before the adapter may disconnect.
	defer in.release()
	answer, err := x.perform(in, state)
	if err != nil {
		x.declineCommand(fault.From(err))
		return
	}
	x.answer(answer)
}

func shuttingDown(s cpm.State) *fault.Error {
	return fault.New(fault.Unavailable, "the adapter is %s and takes no commands", s).After(5 * time.Second)
}

// admit finds the path, the credential, and whether the caller may try again already.
func (x *exchange) admit() *fault.Error {
	if v := x.guard.address(x.begun, addressKey(x.address)); !v.ok() {
		return x.tooMany(v)
	}
	switch {
	case x.r.URL.Path != Path:
		return fault.New(fault.NotFound, "there is nothing at this path; send commands to %s", Path)
	case x.r.Method != http.MethodPost:
		x.w.Header().Set("Allow", http.MethodPost)
		return fault.New(fault.Invalid, "commands are sent with POST")
	}
	var e *fault.Error
	if x.credential, e = readCredential(x.r); e != nil {
		if x.r.Header.Get("Authorization") != "" {
			x.refused("")
		}
		return e
	}
	if v := x.guard.identity(x.begun, x.credential.identity()); !v.ok() {
		return x.tooMany(v)
	}
	return nil
}

// tooMany is the same for a credential that is right and one that is wrong.
func (x *exchange) tooMany(v verdict) *fault.Error {
	x.repeated = !v.first
	if v.locked {
		return fault.New(fault.Busy, "too many credentials were refused; wait").After(v.wait)
	}
	return fault.New(fault.Busy, "too many commands in a short time; wait").After(v.wait)
}

// invalid declines what is no command (specification, "Command Adapter", Processing 2).
func (x *exchange) invalid(e *fault.Error) {
	x.counts.invalid()
	x.log.LogAttrs(x.context(), obs.LevelAudit, "what was sent to the adapter is no valid command", x.attrs("command.invalid", obs.Kind(e.Kind), obs.Err(e))...)
	if state := x.State(); state != cpm.Active && state != cpm.Inactive {
		e = shuttingDown(state)
	}
	x.send(e.Kind.Code().HTTP, x.failure(e))
}

// declineCommand declines a valid command, and remembers a credential that was not accepted.
func (x *exchange) declineCommand(e *fault.Error) {
	x.counts.valid(x.request.Command, false)
	if errors.Is(e, fault.Unauthenticated) {
		x.refused(x.credential.identity())
	}
	x.decline(e)
}

// refused remembers a credential that was not accepted.
func (x *exchange) refused(identity string) {
	if x.guard.refused(x.config.Now(), addressKey(x.address), identity) {
		x.log.LogAttrs(x.context(), slog.LevelWarn, "too many credentials were refused: the caller is locked out", x.attrs("command.locked-out")...)
	}
}

func (x *exchange) decline(e *fault.Error) {
	if !x.repeated {
		x.log.LogAttrs(x.context(), obs.LevelAudit, "the command was declined", x.attrs("command.declined", obs.Kind(e.Kind), obs.Err(e))...)
	}
	x.send(status(x.w, e), x.failure(e))
}

// status is the HTTP status of a decline. A method that the path does not take has one of its own.
func status(w http.ResponseWriter, e *fault.Error) int {
	if w.Header().Get("Allow") != "" {
		return http.StatusMethodNotAllowed
	}
	return e.Kind.Code().HTTP
}

// answer sends what the cores, or the adapter itself, have answered.
func (x *exchange) answer(a *Answer) {
	x.guard.acceptedBy(x.credential.identity())
	x.counts.valid(x.request.Command, a.Result == Success)
	text, err := encode(a)
	if err != nil {
		x.send(http.StatusInternalServerError, x.failure(fault.From(err)))
		return
	}
	x.log.LogAttrs(x.context(), obs.LevelAudit, "the command was answered", x.attrs("command.answered", obs.Outcome(a.Result))...)
	x.send(http.StatusOK, text)
}

// attrs are the attributes of a log line about this request. The command is one of a closed list; nothing else of the body
// is written.
func (x *exchange) attrs(event string, more ...slog.Attr) []slog.Attr {
	attrs := []slog.Attr{obs.Event(event), obs.RequestID(x.id), slog.String("source", x.address.String()), slog.String("caller", x.credential.caller())}
	if x.request.Command != "" {
		attrs = append(attrs, slog.String("command", string(x.request.Command)))
	}
	return append(append(attrs, more...), obs.Duration(x.config.Now().Sub(x.begun)))
}

// context outlives the connection: a command that was accepted is completed whether or not its sender still listens.
func (x *exchange) context() context.Context { return context.WithoutCancel(x.r.Context()) }

// failureBody is the body of a decline.
type failureBody struct {
	ErrorInformation json.RawMessage `json:"errorInformation"`
	RequestID        string          `json:"requestId"`
	// Message is the whole public text.
	Message string `json:"message"`
}

func (x *exchange) failure(e *fault.Error) []byte {
	h := x.w.Header()
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.Kind == fault.Unauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	information, err := protojson.Marshal(e.Information())
	if err != nil {
		information = []byte("{}")
	}
	text, _ := encode(failureBody{information, x.id, e.Public}) // three texts of our own always encode
	return text
}

// encode writes v as compact JSON without HTML escapes.
func encode(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return text.Bytes(), err
}

// sendTimeout bounds how long an answer is on its way out.
const sendTimeout = 10 * time.Second

func (x *exchange) send(status int, body []byte) {
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Request-Id", x.id)
	control := http.NewResponseController(x.w)
	_ = control.SetWriteDeadline(time.Now().Add(sendTimeout))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body)
	_ = control.Flush() // the answer leaves before the adapter may go
}
