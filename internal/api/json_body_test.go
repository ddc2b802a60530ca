package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

func TestOversizeIsDeclinedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) {
		c.Limits.Message, c.Limits.Batch, c.Limits.ReadTimeout = 1<<20, 2<<20, time.Minute
	})
	client := h.http()
	for _, c := range []struct {
		path string
		size int64
	}{
		{"/v1/fsps/f/jws/sign", 1<<20 + 1}, {"/v1/process", 40 << 20}, {"/v1/batch", 2<<20 + 1}, {"/v1/batch", 40 << 20},
	} {
		for _, length := range []int64{c.size, -1} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url(c.path), io.NewSectionReader(spaces{}, 0, c.size))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = length
			if a := do(t, client, r); a.status != 413 || a.kind(t) != "too-large" || !a.closed {
				t.Errorf("%s %d of length %d: %d %s", c.path, c.size, length, a.status, a.body)
			}
		}
	}
}

// spaces is a long text that takes no memory.
type spaces struct{}

func (spaces) ReadAt(p []byte, _ int64) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// raw sends bytes over TLS and reads the answers one by one.
func raw(t *testing.T, h *house) (*tls.Conn, func() answer) {
	t.Helper()
	d := tls.Dialer{Config: h.with(h.ca.client(t, "switch.example"))}
	c, err := d.DialContext(t.Context(), "tcp", h.json)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	in := bufio.NewReader(c)
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*tls.Conn), func() answer {
		_ = c.SetDeadline(time.Now().Add(patience))
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		out, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{res.StatusCode, res.Header, string(out), res.Close}
	}
}

func TestASlowWriterIsDeclinedAndLetGo(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.ReadTimeout = 50 * time.Millisecond })
	c, next := raw(t, h)
	tell(t, c, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	a := next()
	if a.status != 504 || a.kind(t) != "timeout" || !a.closed {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

func TestASmallBodyOfADeclineDoesNotCostTheConnection(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	c, next := raw(t, h)
	for range 3 {
		tell(t, c, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(sign), sign)
		if a := next(); a.status != 404 || a.closed {
			t.Errorf("%d, closed %v", a.status, a.closed)
		}
	}
}

func TestASlowOperationIsNotTakenForASlowWriter(t *testing.T) {
	t.Parallel()
	h := open(t, func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		select {
		case <-ctx.Done():
			return nil, fault.New(fault.Timeout, "cancelled")
		case <-time.After(1500 * time.Millisecond):
			return echo(ctx, r)
		}
	}, func(c *Config) { c.Limits.ReadTimeout = time.Second })
	client := h.http()
	for range 2 {
		if a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(`{}`)); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

func TestABodyThatEndsEarlyIsInvalid(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	c, next := raw(t, h)
	tell(t, c, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if a := next(); a.status != 400 || a.kind(t) != "invalid" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	c, next := raw(t, h)
	tell(t, c, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99000000\r\nExpect: 100-continue\r\n\r\n")
	if a := next(); a.status != 413 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestTheReadingBudgetIsShared(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 64 << 10 })
	first, firstAnswer := raw(t, h)
	tell(t, first, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{")
	client := h.http()
	waitFor(t, func() bool { return h.reading.Taken() > 56<<10 })
	for _, body := range []io.Reader{strings.NewReader(strings.Repeat(" ", 8<<10)), io.NewSectionReader(spaces{}, 0, 20<<10)} {
		a := post(t, client, h.url("/v1/fsps/f/jws/sign"), body)
		if a.status != 429 || a.kind(t) != "busy" || a.header.Get("Retry-After") != "1" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	tell(t, first, "%s", strings.Repeat(" ", 60000-2)+"}")
	if a := firstAnswer(); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(strings.Repeat(" ", 8<<10)+"{}")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// waitFor waits for something that another goroutine does.
func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for range 10000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("did not happen")
}

// TestLargeBodiesTakeBoundedMemory runs alone: it measures what is allocated.
func TestLargeBodiesTakeBoundedMemory(t *testing.T) {
	h := open(t, echo)
	client := h.http()
	body := `{"body":"` + strings.Repeat("x", 6<<20) + `"}`
	send := func() {
		if a := post(t, client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(body)); a.status != 413 || a.kind(t) != "too-large" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	send()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 16
	for range times {
		send()
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > times*(6<<20)*3 {
		t.Errorf("%d bytes allocated for %d requests of 6 MiB", used, times)
	}
}

func TestTheLargestBodyIsTaken(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	body := `{"body":"` + strings.Repeat(`\"`, 5<<20) + `"}`
	if a := post(t, h.http(), h.url("/v1/fsps/f/jws/sign"), strings.NewReader(body)); a.status != 200 || len(a.body) < 10<<20 {
		t.Errorf("%d, %d bytes", a.status, len(a.body))
	}
}

func TestConcurrentRequestsAreAllAnswered(t *testing.T) {
	t.Parallel()
	h := open(t, echo)
	client := h.http()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				a, err := send(t.Context(), client, h.url("/v1/fsps/f/jws/sign"), strings.NewReader(sign))
				if err != nil || a.status != 200 || !json.Valid([]byte(a.body)) {
					t.Errorf("%d %s %v", a.status, a.body, err)
				}
			}
		})
	}
	all.Wait()
	if n := h.counts.outcomes()["ok"]; n != 200 {
		t.Error(n)
	}
}
