package api

import (
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// The paths beside those of the operations, which are /v1/fsps/{fsp}/ and the operation's path.
const (
	pathFSPs     = "/v1/fsps/"
	pathProcess  = "/v1/process"
	pathBatch    = "/v1/batch"
	pathDocument = "/openapi.json"
)

// Handler is the JSON port without its listener, for a server that knows its callers in another way: name gives the
// caller of a request, or the fault it is declined with.
func (d *Door) Handler(name func(*http.Request) (cpm.Principal, error)) http.Handler {
	return &jsonPort{door: d, name: name, foreign: http.NewCrossOriginProtection()}
}

type jsonPort struct {
	door *Door
	name func(*http.Request) (cpm.Principal, error)
	// foreign refuses what a browser sends on behalf of a page of another origin.
	foreign *http.CrossOriginProtection
}

// ServeHTTP gives each request exactly one answer.
func (p *jsonPort) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	on := paceIn(r.Context())
	p.answer(w, r, on)
	on.slowDown(w, r)
}

func (p *jsonPort) answer(w http.ResponseWriter, r *http.Request, on *pace) {
	d := p.door
	x := &exchange{
		inquiry: d.begin(JSON, d.newID(), cpm.Principal{Address: r.RemoteAddr}, on),
		door:    d, w: w, r: r, unread: r.ContentLength != 0,
	}
	defer func() { d.collection.after(x.held) }()
	x.trace = traceOf(r.Header["Traceparent"])
	accepted := d.gate.enter(JSON)
	if accepted {
		defer d.gate.leave(JSON)
	}
	defer x.recover()
	if !accepted {
		x.caller, _ = p.name(r) // for the log; the decline is the same whoever it is
		x.decline(shuttingDown())
		return
	}
	if e := p.serve(x); e != nil {
		x.decline(e)
	}
}

// serve answers x, or gives the decline.
func (p *jsonPort) serve(x *exchange) *fault.Error {
	caller, err := p.name(x.r)
	x.caller = caller
	if err != nil {
		return fault.From(err)
	}
	if err := p.foreign.Check(x.r); err != nil {
		return fault.New(fault.Denied, "sent by a page of another origin").Because(err)
	}
	if e := p.door.admit(x.r.Context(), &x.inquiry); e != nil {
		return e
	}
	defer x.place.Leave()
	switch path := x.r.URL.EscapedPath(); path {
	case pathProcess:
		return x.only(http.MethodPost, x.process)
	case pathBatch:
		return x.only(http.MethodPost, x.batch)
	case pathDocument:
		return x.only(http.MethodGet, x.sendDocument)
	case pathHubKeys:
		return x.only(http.MethodGet, x.hubKeys)
	default:
		return x.perform(path)
	}
}

// only refuses other methods.
func (x *exchange) only(method string, serve func() *fault.Error) *fault.Error {
	if x.r.Method != method {
		x.allow = method
		return fault.New(fault.Invalid, "this path takes %s only", method)
	}
	return serve()
}

// perform serves the path of an operation.
func (x *exchange) perform(path string) *fault.Error {
	rest, _ := strings.CutPrefix(path, pathFSPs)
	segment, rest, _ := strings.Cut(rest, "/")
	if strings.HasPrefix(path, pathFSPs) && publishes(rest) {
		return x.only(http.MethodGet, func() *fault.Error { return x.keysOf(segment, rest) })
	}
	op, ok := x.door.operations.byPath[rest]
	if !ok || !strings.HasPrefix(path, pathFSPs) {
		return fault.New(fault.NotFound, "no such path, see "+pathDocument)
	}
	x.operation = op
	return x.only(http.MethodPost, func() *fault.Error {
		fsp, err := url.PathUnescape(segment)
		if err != nil {
			return fault.New(fault.Invalid, "the name of the FSP cannot be one")
		}
		message := op.NewRequest()
		if e := x.receive(x.door.limits.Message, x.door.shapes.requests[op], message); e != nil {
			return e
		}
		out, e := x.door.process(x.r.Context(), &x.inquiry, cpm.FSP(fsp), message)
		if e != nil {
			return e
		}
		return x.send(http.StatusOK, x.door.shapes.responses[op], out)
	})
}

// process serves /v1/process, where the body names FSP and operation.
func (x *exchange) process() *fault.Error {
	var in cpmv1.ProcessRequest
	if e := x.receive(x.door.limits.Message, x.door.shapes.processRequest, &in); e != nil {
		return e
	}
	out, e := x.door.processEnvelope(x.r.Context(), &x.inquiry, &in)
	if e != nil {
		return e
	}
	return x.send(http.StatusOK, x.door.shapes.processResponse, out)
}

// batch serves /v1/batch. Its items are counted one by one. Its bytes are until it is answered: those of an item are among the bytes
// in process only while it has its turn.
func (x *exchange) batch() *fault.Error {
	x.batched = true
	defer func() { x.kept.give() }()
	var in cpmv1.BatchRequest
	if e := x.receive(x.door.limits.Batch, x.door.shapes.batchRequest, &in); e != nil {
		return e
	}
	out := texts{door: x.door, all: make([][]byte, len(in.GetItems()))}
	if e := x.door.batch(x.r.Context(), &x.inquiry, in.GetItems(), out); e != nil {
		return e
	}
	x.write(http.StatusOK, out.answer()...)
	return nil
}

func (x *exchange) sendDocument() *fault.Error {
	x.door.conclude(x.r.Context(), &x.inquiry, nil)
	x.write(http.StatusOK, x.door.document)
	return nil
}

// jsonType says whether a Content-Type is JSON.
func jsonType(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	t, params, err := mime.ParseMediaType(contentType)
	if err != nil || t != "application/json" && !strings.HasSuffix(t, "+json") {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

// recover ends the request of a panic with an answer, if it has none yet.
func (x *exchange) recover() {
	v := recover()
	if v == nil {
		return
	}
	e := x.door.panicked(x.r.Context(), x.id, v)
	if !x.written {
		x.decline(e)
		return
	}
	x.door.log.LogAttrs(x.r.Context(), slog.LevelError, "panic after the answer", obs.Event("port.panic"), slog.String("requestId", x.id))
}
