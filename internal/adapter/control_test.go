package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

// A core that connects and does not greet is not waited for, and one that does is not ended.
func TestASilentCoreIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serverOf(module{do: echo}, nil)
		ctx, cut := context.WithCancel(t.Context())
		_, far := newPipe[*cpmv1.ControlFrame](ctx)
		began := time.Now()
		_ = s.control("1", fakeSession("1"), far)
		if took := time.Since(began); took != greetTimeout || len(s.links.all()) != 0 {
			t.Errorf("ended after %v", took)
		}
		cut()
		s.reading.Wait()
		c, _ := join(t, s)
		time.Sleep(10 * greetTimeout)
		if !c.Up() {
			t.Error("a link that was greeted has ended")
		}
		c.Close()
	})
}

// An adapter that accepts the connection and does not greet, or is never done with its configuration, is left.
func TestASilentAdapterIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int64
		c := start(t.Context(), ClientConfig{Name: "ssm1", Logger: quiet}, func(ctx context.Context) (*wires, error) {
			opened.Add(1)
			near, far := newPipe[*cpmv1.ControlFrame](ctx)
			go func() { _, _ = far.Recv() }()
			return &wires{control: near, close: func() error { return nil }}, nil
		})
		time.Sleep(3 * (greetTimeout + lastPause))
		if opened.Load() < 3 || c.Up() {
			t.Errorf("opened %d times, up %v", opened.Load(), c.Up())
		}
		c.Close()
	})
}

// A link has one Work stream; another one is refused, and the first goes on.
func TestASecondWorkStreamIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serverOf(module{do: echo}, nil)
		c, _ := join(t, s)
		o := newOffice(nil)
		a := o.attached(t, AttachConfig{})
		for name, work := range map[string]func(string, workStream) error{"adapter": s.work, "core": o.port.work} {
			for _, key := range []string{"1", "unknown"} {
				_, far := newWorkPipe(t.Context())
				if err := work(key, far); !errors.Is(err, fault.State) {
					t.Errorf("%s, %s: %v", name, key, err)
				}
			}
		}
		if _, err := c.Do(t.Context(), request("x")); err != nil {
			t.Error(err)
		}
		if _, err := ask(t, a, "x"); err != nil {
			t.Error(err)
		}
		c.Close()
		a.Close()
	})
}

// A core that goes completes what it asked and leaves the adapter to the others; one that ends it ends it for all.
func TestAReleasedAdapterServesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Bool
		slow := module{do: func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
			time.Sleep(time.Second)
			return echo(ctx, r)
		}}
		s := serverOf(slow, func(s *ServerConfig) { s.Ended = func() { told.Store(true) } })
		one, m := join(t, s)
		two := start(t.Context(), ClientConfig{Name: "ssm1", Logger: quiet}, m.open)
		if err := two.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		go func() { _, err := one.Do(t.Context(), request("x")); answered <- err }()
		synctest.Wait()
		if err := errors.Join(one.Release(t.Context()), <-answered); err != nil {
			t.Error(err)
		}
		_, err := one.Do(t.Context(), request("x"))
		kind(t, err, fault.Unavailable)
		if _, err := two.Do(t.Context(), request("y")); err != nil || told.Load() {
			t.Errorf("the other core: %v, told to end %v", err, told.Load())
		}
		err = two.Shutdown(t.Context())
		synctest.Wait()
		if err != nil || !told.Load() {
			t.Errorf("%v, told to end %v", err, told.Load())
		}
	})
}

// A module that can take a new configuration while it works keeps its keys.
func TestAModuleIsConfiguredInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		var seen [][]cpm.Operation
		s := serverOf(module{}, func(s *ServerConfig) {
			s.New = func([]cpm.Operation, []byte) (cpm.Module, error) {
				made++
				return configurable{module{do: echo}, func(o []cpm.Operation) { seen = append(seen, o) }}, nil
			}
		})
		c, _ := join(t, s)
		if err := c.Configure(t.Context(), []cpm.Operation{cpm.JWSVerify}, nil); err != nil {
			t.Error(err)
		}
		c.Close()
		kind(t, c.Configure(t.Context(), nil, nil), fault.Unavailable)
		if made != 1 || len(seen) != 1 || seen[0][0] != cpm.JWSVerify {
			t.Errorf("made %d, configured %v", made, seen)
		}
	})
}

type configurable struct {
	module
	configure func([]cpm.Operation)
}

func (c configurable) Configure(_ context.Context, o []cpm.Operation, _ []byte) error {
	c.configure(o)
	return nil
}

// While it completes what it has, an adapter says that it is shutting down, and declines what is new.
func TestAnAdapterThatShutsDownDeclinesWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := module{do: func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
			time.Sleep(time.Minute)
			return echo(ctx, r)
		}}
		c, _ := join(t, serverOf(slow, nil))
		l, _ := c.current()
		answered := make(chan error, 1)
		go func() { _, err := l.do(t.Context(), request("x")); answered <- err }()
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- l.control.shutdown(within(t, 5*time.Second)) }()
		synctest.Wait()
		if s, err := c.Status(t.Context()); err != nil || s.State != cpm.ShuttingDown {
			t.Errorf("%+v %v", s, err)
		}
		_, err := l.do(t.Context(), request("y"))
		kind(t, err, fault.Unavailable)
		kind(t, c.Configure(t.Context(), nil, nil), fault.Unavailable)
		kind(t, c.Put(t.Context(), cpm.Material{}), fault.Unavailable)
		kind(t, <-drained, fault.Timeout)
		c.Close()
		if err := <-answered; !errors.Is(err, cpm.ErrLinkLost) {
			t.Error(err)
		}
		time.Sleep(2 * time.Minute) // the module is done, too
		spec.Covers(t, "SSM-down-1", "SSM-down-2a", "SSM-down-2b", "SSM-down-decline")
	})
}

// What an adapter says it cannot do is declined at once, logged, and leaves the rest alone.
func TestAnAdapterThatCannotDoAllItIsMandatedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := &inMemory{server: serverOf(module{do: echo}, func(s *ServerConfig) {
			s.Operations, s.Versions = []cpm.Operation{cpm.JWSVerify}, Versions{1, 2}
		})}
		c := start(t.Context(), ClientConfig{
			Name: "ssm1", Logger: slog.New(slog.NewTextHandler(&log, nil)), Operations: []cpm.Operation{cpm.JWSSign, cpm.JWSVerify},
			Versions: Versions{1, 2},
		}, m.open)
		if err := c.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := request("x")
		_, err := c.Do(t.Context(), r)
		kind(t, err, fault.Unsupported)
		r.Operation = cpm.JWSVerify
		if _, err := c.Do(t.Context(), r); err != nil {
			t.Error(err)
		}
		c.Close()
		before := start(t.Context(), ClientConfig{Name: "ssm1", Logger: quiet, Versions: Versions{1, 1}}, m.open)
		if err := before.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := before.Do(t.Context(), request("x")); err != nil {
			t.Errorf("a core that does not know of it yet: %v", err)
		}
		before.Close()
		if !strings.Contains(log.String(), "adapter=ssm1 event=adapter.unable address=\"\" operations=jws.sign") {
			t.Error(log.String())
		}
	})
}

// Connections over the bound wait in the system's queue until one is closed.
func TestConnectionsAreBounded(t *testing.T) {
	l := newBounded(endless{}, 2)
	one, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	third := make(chan error, 1)
	go func() { _, err := l.Accept(); third <- err }()
	select {
	case err := <-third:
		t.Errorf("a third was accepted: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	_ = one.Close()
	_ = one.Close()
	if err := <-third; err != nil {
		t.Error(err)
	}
	go func() { _, err := l.Accept(); third <- err }()
	_ = l.Close()
	if err := <-third; err == nil {
		t.Error("accepted by a closed listener")
	}
}

// FuzzControl has both adapters' ends answer frames of a core gone mad, one after another. Each is answered once, and a
// decline says so in words that are fit to be shown.
func FuzzControl(f *testing.F) {
	var all []byte
	for _, frame := range controlSeeds() {
		b, _ := proto.Marshal(frame)
		f.Add(protowire.AppendBytes(nil, b))
		all = protowire.AppendBytes(all, b)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := serverOf(module{do: echo}, nil)
		served, err := newServerLink(t.Context(), s, fakeSession("1"))
		if err != nil {
			t.Fatal(err)
		}
		defer served.end()
		attached := newAttachedLink(t.Context(), AttachConfig{Name: "command1", Logger: quiet}, nil, func() {})
		for range 16 {
			part, n := protowire.ConsumeBytes(b)
			var frame cpmv1.ControlFrame
			if n < 0 || proto.Unmarshal(part, &frame) != nil {
				return
			}
			b = b[n:]
			for _, a := range []*cpmv1.ControlAnswer{served.answer(&frame), attached.answer(&frame)} {
				if a.GetFault() != "" && !printable(a.GetText()) {
					t.Errorf("%v", a)
				}
			}
		}
	})
}

func controlSeeds() []*cpmv1.ControlFrame {
	key := &cpmv1.LinkKey{Id: make([]byte, 16), Name: "jws", Version: 1}
	return []*cpmv1.ControlFrame{
		{Id: 1, Kind: &cpmv1.ControlFrame_Configure{Configure: &cpmv1.Configure{Operations: []string{"jws.sign"}, Settings: []byte("{}"), Revision: 1}}},
		{Id: 3, Kind: &cpmv1.ControlFrame_KeyPut{KeyPut: &cpmv1.KeyPut{Key: key, Algorithm: "RS256", Use: "signature", PublicKey: []byte("x")}}},
		{Id: 5, Kind: &cpmv1.ControlFrame_KeyPut{KeyPut: &cpmv1.KeyPut{Key: key, Sealed: []byte("x")}}},
		{Id: 7, Kind: &cpmv1.ControlFrame_KeyDrop{KeyDrop: &cpmv1.KeyDrop{Ids: [][]byte{key.GetId(), {1}}}}},
		{Id: 9, Kind: &cpmv1.ControlFrame_StatusQuery{StatusQuery: &cpmv1.StatusQuery{}}},
		{Id: 11, Kind: &cpmv1.ControlFrame_Shutdown{Shutdown: &cpmv1.Shutdown{}}},
		{Id: 2, Kind: &cpmv1.ControlFrame_Hello{Hello: &cpmv1.Hello{VersionMin: 1}}},
		{},
	}
}

// FuzzHello has both sides judge a greeting.
func FuzzHello(f *testing.F) {
	private, _ := newKeyPair()
	for _, h := range []*cpmv1.Hello{
		{VersionMin: 1, VersionMax: 1, Name: "ssm1", Epoch: 7, Credit: 8, HpkePublicKey: private.PublicKey().Bytes(), Operations: []string{"jws.sign"}},
		{VersionMin: 9, VersionMax: 1, Name: "ssm1"},
		{},
	} {
		b, _ := proto.Marshal(h)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h cpmv1.Hello
		if proto.Unmarshal(b, &h) != nil {
			return
		}
		l := newClientLink(ClientConfig{Name: "ssm1", Versions: Versions{1, 1}}, nil, func() {})
		if err := l.greeted(&h); err == nil && (l.version != 1 || l.work.credit.Most() < 1 || l.work.credit.Most() > maxCredit || len(l.able) > maxOperations) {
			t.Error(fmt.Sprint(&h))
		}
	})
}

// endless is a listener that always has another connection.
type endless struct{ net.Listener }

func (endless) Accept() (net.Conn, error) {
	near, far := net.Pipe()
	_ = far.Close()
	return near, nil
}

func (endless) Close() error { return nil }
