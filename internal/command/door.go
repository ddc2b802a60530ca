// Package command is the administration door on a local socket: HTTP/1.1 with JSON, for the user the CPM runs as and for
// root. It decodes, names the caller by the socket's peer credentials and hands every change to the core as a value.
//
//	POST /v1/changes      {"action","target","document":{…},"secret":"<base64>","expectRevision","requestId"} → {"revision","detail"}
//	POST /v1/refresh      {"what":"config"|"keys","requestId"} → {"revision"}
//	POST /v1/shutdown     ends the CPM
//	GET  /v1/status       state, adapters and counters
//	GET  /v1/adapters     adapters and their endpoints
//	GET  /v1/fsps         participants
//	GET  /v1/keys         ?fsp=&name=&history=true
//	GET  /v1/key-uses     ?fsp=&name=
//	GET  /v1/routes       rules
//	GET  /v1/grants       grants
//	GET  /v1/operators    users, groups and whitelists
//	GET  /v1/route-trial  ?fsp=&operation=
//
// Only action is mandatory in a change, and what in a refresh. A decline has the body of every other door and, beside it, "message": the whole
// public text, which errorDescription cuts at 128 characters.
package command

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
)

// Core is what the door needs of the core.
type Core interface {
	Apply(ctx context.Context, p cpm.Principal, change core.Change) (core.Receipt, error)
	Refresh(ctx context.Context, p cpm.Principal, o core.RefreshOrder) (core.Receipt, error)
	Survey(ctx context.Context) core.StatusView
	Adapters() []core.AdapterView
	FSPs() []core.FSPView
	Keys(f cpm.FSP, name string, history bool) []core.KeyView
	Uses(ctx context.Context, f cpm.FSP, name string) ([]core.KeyUses, error)
	Routes() []core.RouteView
	Grants() []access.Grant
	Operators() core.OperatorsView
	Halt(ctx context.Context, p cpm.Principal, requestID string) error
	Try(f cpm.FSP, o cpm.Operation) core.Trial
}

// Options are what a Door is made of, beside the core.
type Options struct {
	Log *slog.Logger
	// About is shown by status.
	About About
	// Admit says which users may come in; nil admits the user of this process and root.
	Admit func(uid uint32) bool
	// Opened is called when requests are about to be answered; it may be nil.
	Opened func()
	// Drain is how long the end of Serve waits for accepted requests; 0 is 10 s.
	Drain time.Duration
}

// defaultDrain is the wait for accepted requests at the end.
const defaultDrain = 10 * time.Second

// Door answers the requests of one socket.
type Door struct {
	core  Core
	log   *slog.Logger
	about About
	admit func(uid uint32) bool
	drain time.Duration
	// opened is never nil.
	opened func()
	mux    *http.ServeMux
}

// New makes a Door to the core.
func New(c Core, o Options) *Door {
	d := &Door{
		core: c, log: o.Log.With(obs.Component("command")), about: o.About, admit: o.Admit, drain: o.Drain,
		opened: o.Opened,
		mux:    http.NewServeMux(),
	}
	if d.admit == nil {
		d.admit = ownerOrRoot
	}
	if d.opened == nil {
		d.opened = func() {}
	}
	if d.drain <= 0 {
		d.drain = defaultDrain
	}
	for _, r := range d.routes() {
		d.mux.Handle(r.pattern, d.handler(r.answer))
	}
	return d
}

// ServeHTTP answers one request. The caller is who RemoteAddr says, so it must come from a listener made by Open.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }
