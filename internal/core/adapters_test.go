package core_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/spec"
)

// shared is a module that others may use, too. It keeps how it was left.
type shared struct {
	module

	mu   sync.Mutex
	left []string
}

func (s *shared) note(word string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, word)
	return nil
}

func (s *shared) Release(context.Context) error { return s.note("released") }

func (s *shared) Shutdown(context.Context) error { return s.note("ended") }

func (s *shared) words() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.left)
}

func withOperators() core.Document {
	d := document()
	operators(&d)
	return d
}

// far adds an external adapter with one endpoint to a document.
func far(d core.Document, change func(*core.AdapterEntry)) core.Document {
	a := core.AdapterEntry{Name: "far", Kind: "ssm", Launch: "external", Identity: "far.example", Endpoints: []string{"a.example:1"}, Operations: []cpm.Operation{cpm.JWSSign}}
	if change != nil {
		change(&a)
	}
	d.Adapters = append(slices.Clone(d.Adapters), a)
	return d
}

// What other CPMs may use is given back when this one does without it, and ended when an operator wants it ended.
func TestAdaptersThatOthersUseAreGivenBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		does func(*rig)
		want string
	}{
		"dropped from the configuration": {func(r *rig) { r.apply(withOperators()) }, "released"},
		"with other operations": {func(r *rig) {
			r.apply(far(withOperators(), func(a *core.AdapterEntry) { a.Operations = []cpm.Operation{cpm.JWSVerify} }))
		}, "released"},
		"disabled":               {func(r *rig) { r.apply(far(withOperators(), func(a *core.AdapterEntry) { a.Disabled = true })) }, "released"},
		"this CPM ends":          {func(r *rig) { r.must(r.Shutdown(context.WithoutCancel(r.t.Context()))) }, "released"},
		"an operator's stop":     {func(r *rig) { r.mustChange("adapter.stop", "far", nil) }, "ended"},
		"an operator's Shutdown": {func(r *rig) { r.does("Shutdown", ""); r.must(r.Shutdown(context.WithoutCancel(r.t.Context()))) }, "ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := running(t, operators)
			first := &shared{}
			used := false
			r.open["far"] = func() (cpm.Module, error) {
				if used {
					return &shared{}, nil
				}
				used = true
				return first, nil
			}
			r.apply(far(withOperators(), nil))
			c.does(r)
			for end := time.Now().Add(20 * time.Second); len(first.words()) == 0 && time.Now().Before(end); {
				pause()
			}
			if diff := cmp.Diff([]string{c.want}, first.words()); diff != "" {
				t.Error(diff)
			}
			if name == "an operator's Shutdown" {
				spec.Covers(t, "DOWN-3")
			}
		})
	}
}

// However many endpoints cannot be reached, a change waits for them once.
func TestEndpointsAreOpenedAllAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.Load(t.Context()))
	var opening sync.WaitGroup
	opening.Add(6)
	all := make(chan struct{})
	go func() {
		opening.Wait()
		close(all)
	}()
	open := func() (cpm.Module, error) {
		opening.Done()
		select {
		case <-all:
			return &switched{}, nil
		case <-time.After(20 * time.Second):
			return nil, errors.New("the others are not opened meanwhile")
		}
	}
	r.open["far"], r.open["farther"] = open, open
	d := far(document(), func(a *core.AdapterEntry) { a.Endpoints = []string{"a.example:1", "b.example:2", "c.example:3"} })
	d = far(d, func(a *core.AdapterEntry) {
		a.Name, a.Endpoints = "farther", []string{"a.example:4", "b.example:5", "c.example:6"}
	})
	r.apply(d)
	if got := r.Adapters()[0]; len(got.Endpoints) != 3 || got.Endpoints[2].Address != "c.example:3" {
		t.Errorf("%+v", got)
	}
}
