package adapter

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// reserved is a socket that listens until the test ends, so that nobody else takes its port while nothing serves it.
func reserved(t *testing.T) (socket *os.File, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if socket, err = l.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return socket, l.Addr().String()
}

// Over real TLS: who has no certificate of the authority is not heard, and the end of the port is not the adapter's end.
func TestAttachOverTLS(t *testing.T) {
	f := newFleet(t)
	o := newOffice(nil)
	l, address := reserved(t)
	serve := func() func() {
		once, err := net.FileListener(l)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- o.port.Serve(ctx, once, f.adapter) }()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	stop := serve()
	var shows atomic.Int64
	certificate := f.core(t, "command.cpm")
	a := Attach(t.Context(), AttachConfig{Name: "command1", Address: address, Logger: quiet, TLS: func() (*tls.Config, error) {
		shows.Add(1)
		return certificate()
	}})
	defer a.Close()
	if err := a.Connected(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(t, a, "x"); err != nil || got != "command1 command id-x x" {
		t.Errorf("%q %v", got, err)
	}
	for name, certificate := range map[string]func() (*tls.Config, error){
		"another authority": newFleet(t).core(t, "command.cpm"), "another name": f.core(t, "other.cpm"),
	} {
		stranger := Attach(t.Context(), AttachConfig{Name: "command1", Address: address, Logger: quiet, TLS: certificate})
		if err := stranger.Connected(within(t, 500*time.Millisecond)); err == nil {
			t.Errorf("%s: connected", name)
		}
		stranger.Close()
	}
	stop()
	stop = serve()
	defer stop()
	if err := a.Connected(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := ask(t, a, "y"); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if shows.Load() < 2 {
		t.Error("the certificate was not looked at anew")
	}
}
