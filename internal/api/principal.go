package api

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// CertificatePrincipal names the caller by its verified client certificate: the first DNS name of the subject
// alternative names or, if there is none, the first URI. The subject is not looked at (RFC 9525, section 2). It is an
// Unauthenticated fault when there is no such name.
func CertificatePrincipal(r *http.Request) (cpm.Principal, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return cpm.Principal{}, fault.New(fault.Unauthenticated, "a client certificate is needed")
	}
	p, e := nameOf(r.TLS.VerifiedChains[0][0], r.RemoteAddr)
	if e != nil {
		return p, e
	}
	return p, nil
}

// nameOf is the principal of a certificate that was verified.
func nameOf(c *x509.Certificate, address string) (cpm.Principal, *fault.Error) {
	name := ""
	switch {
	case len(c.DNSNames) > 0:
		name = c.DNSNames[0]
	case len(c.URIs) > 0:
		name = c.URIs[0].String()
	}
	p := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: name, Address: address}
	if !visible(name) {
		p.Name = ""
		return p, fault.New(fault.Unauthenticated, "the client certificate has no DNS name or URI that can be used")
	}
	return p, nil
}

// visible is the rule for names of certificates: what can be written in a grant and in a log.
func visible(name string) bool {
	if name == "" || name == "*" || len(name) > 255 {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) < 0
}

// LoopbackPrincipal is the principal of every caller on plain HTTP, which `cpm dev` serves on loopback. Whoever calls
// from another machine is refused, and so is a request whose Host is another name: a page of a foreign site whose name
// now resolves to this machine would send that.
func LoopbackPrincipal(r *http.Request) (cpm.Principal, error) {
	if !loopback(r.RemoteAddr) {
		return cpm.Principal{Address: r.RemoteAddr}, fault.New(fault.Unauthenticated, "plain HTTP is for this machine only")
	}
	if !loopback(r.Host) {
		return cpm.Principal{Address: r.RemoteAddr}, fault.New(fault.Denied, "the Host header does not name this machine's loopback")
	}
	return cpm.Principal{Kind: cpm.PrincipalLoopback, Name: "dev", Address: r.RemoteAddr}, nil
}

// loopback says whether a host, with or without port, is this machine: localhost or a loopback address.
func loopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostPort, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
