package adapter

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// office is a core's port with what was asked of it.
type office struct {
	port    *Port
	service chan cpm.Service
	gone    atomic.Int64

	mu    sync.Mutex
	links int
	cut   context.CancelFunc
}

// newOffice lets every adapter in and echoes what it is asked.
func newOffice(change func(*PortConfig)) *office {
	o := &office{service: make(chan cpm.Service, 100)}
	c := PortConfig{
		Type: "command", Logger: quiet,
		Attach: func(_ context.Context, name string, identities []string, s cpm.Service) (*Attachment, error) {
			if name != "command1" || len(identities) != 1 || identities[0] != "command.cpm" {
				return nil, fault.New(fault.Denied, "not this one")
			}
			o.service <- s
			return &Attachment{Settings: []byte(`{"a":1}`), Revision: 7, Detach: func() { o.gone.Add(1) }}, nil
		},
		Handle: func(_ context.Context, name string, op cpm.Operation, id string, payload []byte) ([]byte, error) {
			return fmt.Appendf(nil, "%s %s %s %s", name, op, id, payload), nil
		},
	}
	if change != nil {
		change(&c)
	}
	o.port = NewPort(c)
	return o
}

// open joins an adapter with the port without a network.
func (o *office) open(ctx context.Context) (*wires, error) {
	ctx, cut := context.WithCancel(ctx)
	o.mu.Lock()
	o.links++
	key := strconv.Itoa(o.links)
	o.cut = cut
	o.mu.Unlock()
	near, far := newPipe[*cpmv1.ControlFrame](ctx)
	go func() {
		defer cut()
		_ = o.port.control(key, []string{"command.cpm"}, far)
	}()
	return &wires{
		control: near,
		work: func() (workStream, error) {
			near, far := newPipe[*cpmv1.WorkFrame](ctx)
			go func() {
				defer cut()
				_ = o.port.work(key, far)
			}()
			return near, nil
		},
		close: func() error { cut(); return nil },
	}, nil
}

func (o *office) cutNow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut()
}

// attached starts an adapter at the office and waits for its link.
func (o *office) attached(t *testing.T, c AttachConfig) *Attached {
	t.Helper()
	c.Name, c.Logger = "command1", quiet
	a := attach(t.Context(), c, o.open)
	if err := a.Connected(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func ask(t *testing.T, a *Attached, text string) (string, error) {
	t.Helper()
	answer, err := a.Ask(t.Context(), cpm.AskCommand, "id-"+text, []byte(text))
	return string(answer), err
}
