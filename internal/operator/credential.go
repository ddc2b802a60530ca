package operator

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strings"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of a credential.
const (
	maxToken = 256
	maxName  = 255 // of a DNS name
	maxNames = 16
)

// refusedText is the public text for a credential that is none; it is that of one the core does not know.
const refusedText = "the credential is not accepted; use a certificate or a token of a user of this CPM"

// credential is how a caller proves who it is.
type credential struct {
	names []string
	token string
}

// readCredential takes the names of the verified certificate and the bearer token; one of the two must be there.
func readCredential(r *http.Request) (credential, *fault.Error) {
	var c credential
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		leaf := r.TLS.VerifiedChains[0][0]
		for _, name := range leaf.DNSNames {
			c.name(name)
		}
		for _, u := range leaf.URIs {
			c.name(u.String())
		}
	}
	var ok bool
	if c.token, ok = bearer(r.Header.Values("Authorization")); !ok {
		return credential{}, fault.New(fault.Unauthenticated, refusedText)
	}
	if c.token == "" && len(c.names) == 0 {
		return credential{}, fault.New(fault.Unauthenticated, "show a client certificate with a name, or an API token as Authorization: Bearer")
	}
	return c, nil
}

// name takes a name that can be written in a list of users and in a log.
func (c *credential) name(s string) {
	visible := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) < 0
	if s != "" && s != "*" && len(s) <= maxName && visible && len(c.names) < maxNames {
		c.names = append(c.names, s)
	}
}

// bearer is the token of RFC 6750, section 2.1; no header at all is no token.
func bearer(headers []string) (string, bool) {
	if len(headers) == 0 {
		return "", true
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	if !ok || len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return "", false
	}
	for i := range len(token) {
		if !tokenByte(token[i]) {
			return "", false
		}
	}
	return token, true
}

func tokenByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || strings.IndexByte("-._~+/=", b) >= 0
}

// identity is what repeated refusals are counted by: the token without its secret part, or the names of the certificate.
// It is a hash, so that nothing of a credential stays in a table.
func (c credential) identity() string {
	text := "certificate\x00" + strings.Join(c.names, "\x00")
	if c.token != "" {
		text = "token\x00" + tokenID(c.token)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// tokenID is the part of a token cpm_<id>_<secret> that is not secret; what has another form is its own id.
func tokenID(token string) string {
	rest, ok := strings.CutPrefix(token, "cpm_")
	id, _, separated := strings.Cut(rest, "_")
	if !ok || !separated {
		return token
	}
	return id
}

// caller is how the log names who sent a command: a certificate was verified here, a token was not.
func (c credential) caller() string {
	if len(c.names) > 0 {
		return "certificate:" + c.names[0]
	}
	return "bearer"
}

func (c credential) message(address netip.Addr) *cpmv1.Credential {
	return &cpmv1.Credential{CertificateNames: c.names, Token: c.token, Address: address.String()}
}

// peer is the address of the TCP connection. What a header says of it is not looked at: anybody can write one.
func peer(r *http.Request) netip.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap().WithZone("")
}
