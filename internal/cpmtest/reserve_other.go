//go:build !linux

package cpmtest

import (
	"net"
	"testing"
)

// Reserve gives a loopback address that nobody listens on.
func Reserve(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
