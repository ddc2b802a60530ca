package bench

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// isLoopback says whether a host of an address is this machine. Names other than localhost are not looked up: what they
// mean can change between this question and the connection.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func hostOf(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && (host == "" || port == "") {
		err = errors.New("host or port is missing")
	}
	return host, err
}

// dialer connects to the server. Unless remote servers are allowed it looks at the address after all names are resolved,
// so that a localhost which points elsewhere is refused too.
func (c Config) dialer() *net.Dialer {
	d := &net.Dialer{Timeout: callTime, KeepAlive: 15 * time.Second}
	if !c.AllowRemote {
		d.ControlContext = refuseRemote
	}
	return d
}

func refuseRemote(_ context.Context, _, address string, _ syscall.RawConn) error {
	host, err := hostOf(address)
	if err != nil || !isLoopback(host) {
		return errRemote()
	}
	return nil
}
