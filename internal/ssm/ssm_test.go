package ssm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpm/moduletest"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
	"github.com/mojaloop/cpm/internal/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newModule(t *testing.T) *Module {
	t.Helper()
	mandated := append(moduletest.SecretKeyOperations(), cpm.JWSSign, cpm.JWSVerify, cpm.JWEEncrypt, cpm.JWEDecrypt)
	m := New(Config{Mandated: mandated, HeavyWorkers: 2, Now: time.Now})
	t.Cleanup(func() { _ = m.Shutdown(context.WithoutCancel(t.Context())) })
	return m
}

func TestModule(t *testing.T) {
	moduletest.Test(t, func(t *testing.T) cpm.Module { return newModule(t) })
	spec.Covers(t, "SSM-2", "SSM-3", "SSM-4", "SSM-5", "SSM-7")
}

// Neither a row of the database nor an operator's mistake brings an operation into software that belongs in hardware.
func TestSoftwareDoesNothingButItsOwnOperations(t *testing.T) {
	for _, o := range []cpm.Operation{"pin.translate", "cvv.verify", "arqc.verify", "jws.forge"} {
		m := New(Config{Mandated: []cpm.Operation{o}, HeavyWorkers: 1, Now: time.Now})
		r := moduletest.SignRequest(cpm.KeyRef{}, `{}`)
		r.Operation = o
		if _, err := m.Do(t.Context(), r); !errors.Is(err, fault.Unsupported) || !strings.HasSuffix(fault.From(err).Public, "; add it to the adapter's operations with: cpm apply -f") {
			t.Errorf("%s: %v", o, err)
		}
		if err := m.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	spec.Covers(t, "OV-3", "SSM-ov-1", "SSM-ov-2", "SSM-4")
}

func TestShutdownGivesUpAtItsDeadline(t *testing.T) {
	m := newModule(t)
	if err := m.enter(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Shutdown(ctx); !errors.Is(err, fault.Timeout) {
		t.Errorf("got %v", err)
	}
	m.inFlight.Done()
}

func TestShutdownCompletesWhatIsInFlightAndDeclinesTheRest(t *testing.T) {
	m := newModule(t)
	if err := m.enter(); err != nil {
		t.Fatal(err)
	}
	states := func() cpm.State {
		s, err := m.Status(t.Context())
		if err != nil {
			t.Error(err)
		}
		return s.State
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Shutdown(t.Context()) }()
	for states() == cpm.Active {
		time.Sleep(time.Millisecond)
	}
	if s := states(); s != cpm.ShuttingDown {
		t.Errorf("with a request in flight the module is %s", s)
	}
	if _, err := m.Do(t.Context(), moduletest.SignRequest(cpm.KeyRef{}, `{}`)); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a new request: %v", err)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended with a request in flight: %v", err)
	default:
	}
	m.inFlight.Done()
	if err := <-ended; err != nil || states() != cpm.Inactive {
		t.Errorf("%v, %s", err, states())
	}
	spec.Covers(t, "SSM-down-1", "SSM-down-2a", "SSM-down-3", "SSM-down-decline", "SSM-down-inactive")
}

func TestLightWorkDoesNotWaitForHeavyWork(t *testing.T) {
	w := newWorkers(Config{HeavyWorkers: 1, Queue: 1})
	defer w.close()
	block, running := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = w.run(t.Context(), work{cost: operation.Heavy}, func() (*cpm.Result, error) {
			close(running)
			<-block
			return nil, nil
		})
	}()
	<-running
	if _, err := w.run(t.Context(), work{}, func() (*cpm.Result, error) { return &cpm.Result{}, nil }); err != nil {
		t.Error(err)
	}
	queued := make(chan error)
	go func() {
		_, err := w.run(t.Context(), work{cost: operation.Heavy}, func() (*cpm.Result, error) { return nil, nil })
		queued <- err
	}()
	for w.heavy.Waiting() == 0 { // until it waits in the queue of one
		time.Sleep(time.Millisecond)
	}
	if _, err := w.run(t.Context(), work{cost: operation.Heavy}, func() (*cpm.Result, error) { return nil, nil }); !errors.Is(err, fault.Busy) {
		t.Errorf("a full queue answers %v", err)
	}
	close(block)
	if err := <-queued; err != nil {
		t.Error(err)
	}
}

func TestAKeyThatCannotBeReadIsADeviceFault(t *testing.T) {
	m := newModule(t)
	k := moduletest.Key(t, "ES256", 1)
	k.Public = []byte("nonsense")
	if err := m.Put(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Do(t.Context(), moduletest.SignRequest(k.Ref, "{}")); !errors.Is(err, fault.Device) {
		t.Errorf("got %v", err)
	}
}

func TestTheEncodedPrivateKeyIsOverwrittenAfterParsing(t *testing.T) {
	m := newModule(t)
	k := moduletest.Key(t, "ES256", 1)
	if err := m.Put(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Do(t.Context(), moduletest.SignRequest(k.Ref, "{}")); err != nil {
		t.Fatal(err)
	}
	if k.Private.Len() != 0 {
		t.Error("the encoded key is still there")
	}
}
