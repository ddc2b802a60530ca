package keyupdate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// retryAfter is the wait told to callers when no core does it now.
const retryAfter = time.Second

// Link is what the adapter knows of one core. It is the cpm.Service that this core commands.
type Link struct {
	adapter *Adapter

	mu    sync.Mutex
	asker Asker
	// left says that this core has shut its link to the adapter down. It asks for the adapter again by configuring it.
	left bool
}

var _ cpm.Service = (*Link)(nil)

// Link adds a core. Cores share a database, so any one of them will do; they are asked in the order they were added. All are
// added before the adapter is Active.
func (a *Adapter) Link() *Link {
	l := &Link{adapter: a}
	a.links = append(a.links, l)
	return l
}

// Bind says how the core is reached.
func (l *Link) Bind(asker Asker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asker = asker
}

// up is the way to the core, if it can be asked now.
func (l *Link) up() (Asker, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asker, l.asker != nil && !l.left && l.asker.Up()
}

// Configure is Adapter.Configure.
func (l *Link) Configure(ctx context.Context, settings []byte, revision int64) error {
	if err := l.adapter.Configure(ctx, settings, revision); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = false
	return nil
}

// Status is Adapter.Status.
func (l *Link) Status(ctx context.Context) (cpm.ServiceStatus, error) { return l.adapter.Status(ctx) }

// Shutdown is this core's. While another core can be asked the adapter goes on with that one: a core that is replaced must
// not take the door of the FSPs with it. Otherwise the adapter shuts down, and Ended is called when the core has had the time
// to read that.
func (l *Link) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	l.left = true
	l.mu.Unlock()
	if l.adapter.anyUp() {
		l.adapter.log.LogAttrs(ctx, slog.LevelInfo, "a core has shut its link down; the adapter goes on with another", obs.Event("adapter.core-left"))
		return nil
	}
	err := l.adapter.Shutdown(ctx)
	time.AfterFunc(lastWord, l.adapter.ended)
	return err
}

// lastWord is how long the adapter goes on declining after it has shut down, and its core may read the answer.
const lastWord = 500 * time.Millisecond

func (a *Adapter) anyUp() bool {
	for _, l := range a.links {
		if _, up := l.up(); up {
			return true
		}
	}
	return false
}

// ask has the first core do it that can be reached. Only when it is certain that a core did nothing is the next one asked.
func (a *Adapter) ask(ctx context.Context, op cpm.Operation, requestID string, payload []byte) ([]byte, error) {
	var last error = fault.New(fault.Unavailable, "the adapter has no link to a CPM; nothing was done").After(retryAfter)
	for _, l := range a.links {
		asker, up := l.up()
		if !up {
			continue
		}
		answer, err := asker.Ask(ctx, op, requestID, payload)
		if err == nil || !nothingDone(err) {
			return answer, err
		}
		last = err
	}
	return nil, last
}

// nothingDone says that a core declined, or was never asked.
func nothingDone(err error) bool {
	if errors.Is(err, cpm.ErrLinkLost) {
		return false
	}
	kind := fault.From(err).Kind
	return kind == fault.Unavailable || kind == fault.Busy
}

// doubtful says that nobody here knows what became of an ask.
func doubtful(ctx context.Context, err error) bool {
	kind := fault.From(err).Kind
	return ctx.Err() != nil || errors.Is(err, cpm.ErrLinkLost) || kind == fault.Timeout || kind == fault.OutcomeUnknown
}
