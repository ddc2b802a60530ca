package api

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
)

func TestOneCallerAloneMayHaveHalfOfTheCalls(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Calls = 8 })
	one, other := h.frank(t, "switch.example"), h.frank(t, "other.example")
	for range 20 {
		one.call(methodStream)
	}
	if got := one.hears(16); got[resourceExhausted] != 16 {
		t.Errorf("ended: %v", got)
	}
	for range 2 {
		other.call(methodStream)
	}
	waitFor(t, func() bool { return h.calls.Taken() == 6 })
}

func TestOneCallerAloneMayHaveHalfOfTheConnections(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Connections = 8 })
	dial := func(name string) net.Conn {
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: h.with(h.ca.client(t, name))}
		c, err := d.DialContext(t.Context(), "tcp", h.json)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	serves := func(c net.Conn) bool {
		_, _ = fmt.Fprint(c, "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(patience))
		_, err := io.ReadFull(c, make([]byte, 12))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a connection is neither served nor closed")
		}
		return err == nil
	}
	var kept []net.Conn
	for range 12 {
		if c := dial("switch.example"); serves(c) {
			kept = append(kept, c)
		}
	}
	if len(kept) != 4 {
		t.Errorf("%d of one caller are served", len(kept))
	}
	for range 2 {
		if !serves(dial("other.example")) {
			t.Error("another found no place")
		}
	}
	_ = kept[0].Close()
	_ = kept[1].Close()
	waitFor(t, func() bool { return h.counts.read(h.counts.connections, JSON) == 4 })
	if !serves(dial("switch.example")) {
		t.Error("closed connections are still counted")
	}
}

func TestOneCallersBodiesLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	h := open(t, echo, func(c *Config) { c.Limits.Reading = 64 << 10 })
	for range 8 {
		c, _ := raw(t, h)
		tell(t, c, "POST /v1/fsps/f/jws/sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8192\r\n\r\n{")
	}
	waitFor(t, func() bool { return h.reading.Taken() == 32<<10 && h.counts.outcomes()["busy"] == 4 })
	caller := admission.Caller{Kind: cpm.PrincipalCertificate, Name: "switch.example"}
	if debt := h.tempo.debt(caller); debt != 0 {
		t.Errorf("the caller has to pay for it: %v", debt)
	}
	other := h.httpWith(h.with(h.ca.client(t, "other.example")))
	if a := post(t, other, h.url("/v1/fsps/f/jws/sign"), bytes.NewReader(append(make([]byte, 0, 16<<10), `{"method":"POST","uri":"/quotes"}`...))); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
