package command

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestSocketIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	d := serve(t, fake{}, Options{})
	info, err := os.Stat(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %04o, want 0600", got)
	}
}

func TestSocketOfAGoneProcessIsReplaced(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	again, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

func TestOnlyAStaleSocketIsRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(socketPath(t))
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	live := serve(t, fake{}, Options{}).path
	for name, c := range map[string]struct {
		path string
		want fault.Kind
	}{
		"a file":                 {file, fault.State},
		"a link":                 {link, fault.State},
		"a directory":            {dir, fault.State},
		"a socket in use":        {live, fault.State},
		"no directory":           {filepath.Join(dir, "none", "s"), fault.Unavailable},
		"a file for a directory": {filepath.Join(file, "s"), fault.Unavailable},
		"an abstract name":       {"@cpm", fault.Invalid},
		"nothing":                {"", fault.Invalid},
	} {
		if _, err := Open(t.Context(), c.path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if text, err := os.ReadFile(link); err != nil || string(text) != "precious" {
		t.Errorf("the file is gone: %v", err)
	}
	if err := New(fake{}, Options{Log: discard()}).Serve(t.Context(), live); !errors.Is(err, fault.State) {
		t.Errorf("Serve: %v, want state", err)
	}
}

func TestEndAnswersWhatWasAcceptedAndTakesTheSocketAway(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan bool), make(chan bool)
	d := serve(t, fake{apply: func(ctx context.Context, _ cpm.Principal, _ core.Change) (core.Receipt, error) {
		close(begun)
		<-goOn
		return core.Receipt{Revision: 3}, ctx.Err()
	}}, Options{})
	client := d.client(t)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Apply(t.Context(), core.Change{Action: "fsp.add"})
		answered <- err
	}()
	<-begun
	d.stop()
	for {
		if _, err := os.Lstat(d.path); errors.Is(err, os.ErrNotExist) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := d.client(t).Status(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a new caller: %v, want unavailable", err)
	}
	close(goOn)
	if err := <-answered; err != nil {
		t.Errorf("the accepted change: %v", err)
	}
	if err := <-d.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestEndDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan bool), make(chan bool)
	defer close(goOn)
	d := serve(t, fake{apply: func(context.Context, cpm.Principal, core.Change) (core.Receipt, error) {
		close(begun)
		<-goOn
		return core.Receipt{}, nil
	}}, Options{Drain: time.Millisecond})
	client := d.client(t)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Apply(t.Context(), core.Change{Action: "fsp.add"})
		answered <- err
	}()
	<-begun
	d.stop()
	if err := <-d.ended; !errors.Is(err, fault.Timeout) {
		t.Errorf("Serve: %v, want timeout", err)
	}
	if err := <-answered; !errors.Is(err, fault.OutcomeUnknown) {
		t.Errorf("the caller: %v, want outcome-unknown", err)
	}
}

func TestChangeGoesOnWhenItsCallerIsGone(t *testing.T) {
	t.Parallel()
	begun, goOn, done := make(chan bool), make(chan bool), make(chan error, 1)
	d := serve(t, fake{apply: func(ctx context.Context, _ cpm.Principal, _ core.Change) (core.Receipt, error) {
		close(begun)
		<-goOn
		done <- ctx.Err()
		return core.Receipt{}, nil
	}}, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	client := d.client(t)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Apply(ctx, core.Change{Action: "fsp.add"})
		answered <- err
	}()
	<-begun
	cancel()
	if err := <-answered; !errors.Is(err, fault.OutcomeUnknown) {
		t.Errorf("the caller: %v, want outcome-unknown", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("the change was cancelled: %v", err)
	}
}

func TestCallersTooManyAreHungUpOn(t *testing.T) {
	t.Parallel()
	d := serve(t, fake{}, Options{})
	held := make([]net.Conn, maxConnections)
	for i := range held {
		held[i] = d.dial(t)
	}
	if _, err := d.dial(t).Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("one too many: %v, want EOF", err)
	}
	_ = held[0].Close()
	for range 1000 {
		if _, err := d.client(t).Status(t.Context()); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("a free place was not given to anybody")
}

func TestFailingListenerEndsServe(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), socketPath(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := New(fake{}, Options{Log: discard()}).ServeOn(t.Context(), l); !errors.Is(err, fault.Internal) {
		t.Errorf("got %v, want internal", err)
	}
}

func TestClientSaysWhyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	refusing := socketPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: refusing, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		path string
		ctx  context.Context
		want fault.Kind
	}{
		"no socket":         {socketPath(t), t.Context(), fault.Unavailable},
		"nobody behind":     {refusing, t.Context(), fault.Unavailable},
		"hangs up":          {answering(t, ""), t.Context(), fault.Unavailable},
		"not HTTP":          {answering(t, "hello\r\n\r\n"), t.Context(), fault.Unavailable},
		"half an answer":    {answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), t.Context(), fault.Unavailable},
		"not JSON":          {answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{"), t.Context(), fault.Internal},
		"not a CPM":         {answering(t, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"), t.Context(), fault.Internal},
		"stopped by caller": {serve(t, fake{}, Options{}).path, gone, fault.Timeout},
	} {
		client := Dial(c.path)
		if _, err := client.Status(c.ctx); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		client.Close()
	}
}

// answering is a socket that gives each caller the same text.
func answering(t *testing.T, text string) string {
	t.Helper()
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(newReader(c))
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}()
	return path
}

func TestDeclineOfTheMojaloopPortIsReadWithoutItsTitle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, text, id string }{
		"with text":    {`{"errorInformation":{"errorCode":"3200","errorDescription":"Generic ID not found - the FSP is not known","extensionList":{"extension":[{"key":"kind","value":"not-found"}]}},"requestId":"r"}`, "the FSP is not known", "r"},
		"without text": {`{"errorInformation":{"errorCode":"3200","errorDescription":"Generic ID not found","extensionList":{"extension":[{"key":"kind","value":"not-found"}]}}}`, "Generic ID not found", ""},
	} {
		e := ReadFault(http.StatusNotFound, http.Header{}, []byte(c.body))
		if e.Kind != fault.NotFound || e.Public != c.text {
			t.Errorf("%s: %v", name, e)
		}
		if id, _ := errors.AsType[RequestID](e); string(id) != c.id {
			t.Errorf("%s: request id %q", name, id)
		}
	}
	if e := ReadFault(http.StatusTeapot, http.Header{}, []byte(strings.Repeat("x", 10))); e.Kind != fault.Internal {
		t.Errorf("nonsense: %v", e)
	}
}
