package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// listener is one TCP address of the configuration, taken apart.
type listener struct {
	path string
	host string
	port uint64
}

func (v *validator) listeners(c *Config) {
	if c.Listen.MojaloopHTTP == "" && c.Listen.MojaloopGRPC == "" {
		v.add("listen.mojaloopHTTP", "no Mojaloop port", "write an address here or in listen.mojaloopGRPC, such as :7800")
	}
	var open []listener
	for _, l := range []struct{ path, address string }{
		{"listen.mojaloopHTTP", c.Listen.MojaloopHTTP},
		{"listen.mojaloopGRPC", c.Listen.MojaloopGRPC},
		{"listen.command", c.Listen.Command},
		{"listen.keyUpdate", c.Listen.KeyUpdate},
		{"listen.probes", c.Listen.Probes},
	} {
		if l.address == "" {
			continue
		}
		if one, ok := v.address(l.path, l.address); ok {
			v.apart(open, one)
			v.loopback(c.Dev, one)
			open = append(open, one)
		}
	}
}

func (v *validator) address(path, text string) (listener, bool) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || !validHost(host) {
		v.add(path, "not an address", "write host:port, or :port for every interface")
		return listener{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		v.add(path, "not a port", "write a number from 0 to 65535 after the colon; 0 takes a free port")
		return listener{}, false
	}
	return listener{path, host, n}, true
}

// apart refuses an address another listener already takes.
func (v *validator) apart(open []listener, l listener) {
	for _, o := range open {
		if o.port == l.port && l.port != 0 && (o.host == l.host || wildcard(o.host) || wildcard(l.host)) {
			v.add(l.path, "the same port as "+o.path, "write another port")
			return
		}
	}
}

// loopback keeps `cpm dev`, which asks nobody for a certificate, off the network.
func (v *validator) loopback(dev bool, l listener) {
	if !dev || l.host == "localhost" {
		return
	}
	if ip, err := netip.ParseAddr(l.host); err != nil || !ip.IsLoopback() {
		v.add(l.path, "not on loopback, and this is cpm dev", "write 127.0.0.1 before the port")
	}
}

func wildcard(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

// validHost takes an IP address, "" for all, or what looks like a host name.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return len(host) <= 253 && !strings.ContainsFunc(host, func(r rune) bool { return notPlain(r) || r == '_' })
}
