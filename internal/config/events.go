package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Brokers are the addresses of the Kafka cluster.
func (e Events) Brokers() []string {
	var all []string
	for address := range strings.SplitSeq(e.Kafka, ",") {
		if address = strings.TrimSpace(address); address != "" {
			all = append(all, address)
		}
	}
	return all
}

func (v *validator) events(e Events) {
	if e.Sidecar != "" && e.Kafka != "" {
		v.add("events.kafka", "given beside events.sidecar", "write one of the two; the sidecar writes to Kafka itself")
	}
	if e.Sidecar != "" {
		v.eventAddress("events.sidecar", e.Sidecar, e.CA != "")
	}
	brokers := e.Brokers()
	if e.Kafka != "" && len(brokers) == 0 {
		v.add("events.kafka", "no address", "write host:port of a broker")
	}
	for _, b := range brokers {
		v.eventAddress("events.kafka", b, e.CA != "")
	}
	switch {
	case e.CA == "":
	case e.Sidecar == "" && e.Kafka == "":
		v.add("events.ca", "given without events.sidecar or events.kafka", "write one of them, or leave this out")
	default:
		v.path("events.ca", e.CA)
	}
}

// eventAddress wants an address to connect to; one in plaintext is on this machine.
func (v *validator) eventAddress(path, text string, secure bool) {
	host, port, err := net.SplitHostPort(text)
	n, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || bad != nil || n == 0 || host == "" || !validHost(host) {
		v.add(path, "not an address to connect to", "write host:port")
		return
	}
	if ip, err := netip.ParseAddr(host); !secure && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		v.add(path, "not on loopback, and without TLS", "write events.ca, the authorities of its certificate")
	}
}
