// Package keyupdate is the Key Update adapter (specification, "Key Update Adapter"): a door where FSPs hand in signed key
// updates over HTTPS, and the state, the settings and the counters a core sees of it. What a caller sends is checked to be
// a key update and forwarded; whether its signature holds and what it may change is for the core to decide.
//
//	POST /v1/key-updates          body: one compact JWS, application/jose → {"result","fsp","name","version"}
//	POST /v1/key-updates/batch    {"updates":["<jws>",…]} → {"updates":[{"result",…} or {"result":"failed","errorInformation",…},…]}
//	GET  /v1/import-key?fsp=NAME  → {"id","jwk","expires"}
//
// A decline has the body of every other door.
//
// The package also has two ways to work with directories of public keys, NAME.pem each, as the Mojaloop services read them:
// Directory takes such files in as key updates, and Sink keeps such a directory of the keys that verify now.
package keyupdate

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
)

// Asker is the way to a core.
type Asker interface {
	// Ask has a core do what a payload of service.proto asks for. Without a link it is Unavailable, and nothing was done; when
	// the link broke while the answer was waited for, cpm.ErrLinkLost is in the chain.
	Ask(ctx context.Context, op cpm.Operation, requestID string, payload []byte) ([]byte, error)
	// Up says whether there is a link now.
	Up() bool
}

// Config is what an Adapter is made of.
type Config struct {
	Logger *slog.Logger
	// Now is the clock of the rate limit; timers run on the contexts.
	Now func() time.Time
	// Ended is called when the cores have shut the adapter down and it is Inactive; it may be nil.
	Ended func()
}

// Adapter is a Key Update adapter. It is an http.Handler and, for each core, a cpm.Service (Link).
type Adapter struct {
	log    *slog.Logger
	ended  func()
	links  []*Link
	counts *counts
	gate   *gate
	rates  *rates
	memory *budget
	setup  settingsBox
}

// New makes an Adapter in state Starting.
func New(c Config) *Adapter {
	a := &Adapter{
		log: c.Logger.With(obs.Component("keyupdate")), ended: c.Ended, counts: newCounts(), gate: newGate(),
		rates: newRates(c.Now), memory: &budget{limit: maxReading},
	}
	if a.ended == nil {
		a.ended = func() {}
	}
	a.setup.store(DefaultSettings(), 0)
	return a
}

// Activate opens the gate: self-checks are done, the door listens, a core is connected.
func (a *Adapter) Activate(ctx context.Context) {
	if a.gate.open() {
		a.log.LogAttrs(ctx, slog.LevelInfo, "the adapter is Active and accepts key updates", obs.Event("adapter.active"))
	}
}

// ServeHTTP gives each request exactly one answer. The caller's address is RemoteAddr and never a header.
func (a *Adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{adapter: a, w: w, r: r, id: obs.NewRequestID()}
	x.serve()
}
