package pki

import (
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// What a certificate may be used for (RFC 5280, section 4.2.1.12).
const (
	UsageServer = "server"
	UsageClient = "client"
	UsageBoth   = "both"
)

// The times of certificates.
const (
	day = 24 * time.Hour
	// DefaultLifetime is how long a certificate of a service is valid.
	DefaultLifetime = 90 * day
	// DefaultAuthorityLifetime is how long an authority is valid.
	DefaultAuthorityLifetime = 3650 * day

	maxLifetime  = 825 * day
	maxAuthority = 7300 * day
)

// Bounds of names.
const (
	maxName  = 64 // of a common name (RFC 5280, appendix A.1)
	maxNames = 32
	maxURI   = 255
)

// Order says what certificate to make.
type Order struct {
	// Service is what it is for: the common name, and the name of its files.
	Service string
	// DNS, URIs and IPs are the subject alternative names; at least one is needed. A CPM knows a caller by the first DNS
	// name, or else by the first URI.
	DNS, URIs, IPs []string
	// Usage is UsageServer, UsageClient or UsageBoth.
	Usage string
	// Lifetime is how long it is valid from now.
	Lifetime time.Duration
	// Out is the directory of the files; empty is the authority's own, or with Renew the one they are in.
	Out string
}

// Issue makes a certificate with a new key (ECDSA P-256) and writes SERVICE.pem, with mode 0644, and SERVICE.key, with
// mode 0600. Files that are there are not overwritten.
func (d *Directory) Issue(now time.Time, o Order) (Record, error) {
	if o.Out == "" {
		o.Out = d.path
	}
	template, err := o.template(now)
	if err != nil {
		return Record{}, err
	}
	if last := d.last(o.Service); last != nil && last.State(now) == "valid" {
		return Record{}, fault.New(fault.State, "the service has a valid certificate; renew it with: cpm pki renew").Because(errors.New("serial " + last.Serial))
	}
	r := o.record(template)
	for _, file := range []string{r.Certificate, r.Key} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return Record{}, fault.New(fault.State, "a file of this name is there already; move it away or name another directory").Because(errors.New(file))
		}
	}
	return r, d.make(template, r)
}

// Renew makes a certificate with the names and the usage of the service's last one, with a new key, and puts both files
// in the place of the old ones. The old certificate stays valid until it expires or is revoked.
func (d *Directory) Renew(now time.Time, service string, valid time.Duration, out string) (Record, error) {
	last := d.last(service)
	switch {
	case last == nil:
		return Record{}, fault.New(fault.NotFound, "the authority has issued nothing for this service; see what there is with: cpm pki list")
	case last.Revoked != nil:
		return Record{}, fault.New(fault.State, "the service's certificate is revoked; if it shall have another one: cpm pki issue")
	case out == "":
		out = filepath.Dir(last.Certificate)
	}
	o := Order{Service: service, DNS: last.DNS, URIs: last.URIs, IPs: last.IPs, Usage: last.Usage, Lifetime: valid, Out: out}
	template, err := o.template(now)
	if err != nil {
		return Record{}, err
	}
	r := o.record(template)
	return r, d.make(template, r)
}

// make has the authority sign, remembers the certificate, and only then writes it: there is none that could not be
// revoked. The key is replaced before the certificate; who reads one of each sees that they do not fit and reads again.
func (d *Directory) make(template *x509.Certificate, r Record) error {
	authority, err := d.authority()
	if err != nil {
		return err
	}
	if template.NotAfter.After(authority.parsed.NotAfter) {
		return fault.New(fault.State, "the authority expires earlier, on %s; write fewer days, or make a new authority in another directory",
			authority.parsed.NotAfter.UTC().Format(time.DateOnly))
	}
	leaf, err := sign(template, authority, elliptic.P256())
	if err != nil {
		return fault.New(fault.Internal, "the certificate cannot be made").Because(err)
	}
	key, err := leaf.KeyPEM()
	if err != nil {
		return fault.New(fault.Internal, "the certificate cannot be made").Because(err)
	}
	defer key.Destroy()
	d.index.Certificates = append(d.index.Certificates, r)
	if err := d.writeIndex(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.Certificate), 0o700); err != nil {
		return unwritten(err)
	}
	if err := replace(r.Key, key.Open(secret.Token{}), private); err != nil {
		return unwritten(err)
	}
	if err := replace(r.Certificate, leaf.PEM(), public); err != nil {
		return unwritten(err)
	}
	return nil
}

func (o Order) record(template *x509.Certificate) Record {
	r := Record{
		Service: o.Service, Serial: serial(template.SerialNumber), Usage: o.Usage, DNS: o.DNS, URIs: o.URIs,
		NotBefore: template.NotBefore.UTC().Truncate(time.Second), NotAfter: template.NotAfter.UTC().Truncate(time.Second),
		Certificate: absolute(filepath.Join(o.Out, o.Service+".pem")), Key: absolute(filepath.Join(o.Out, o.Service+".key")),
	}
	for _, ip := range template.IPAddresses {
		r.IPs = append(r.IPs, ip.String())
	}
	return r
}

// template checks the order and makes a certificate's template of it.
func (o Order) template(now time.Time) (*x509.Certificate, error) {
	if err := checkService(o.Service); err != nil {
		return nil, err
	}
	if o.Lifetime < time.Hour || o.Lifetime > maxLifetime {
		return nil, fault.New(fault.Invalid, "a certificate is valid for 1 to %d days", maxLifetime/day)
	}
	t, err := newTemplate(now, o.Service, o.Lifetime)
	if err != nil {
		return nil, err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	if t.ExtKeyUsage, err = usages(o.Usage); err != nil {
		return nil, err
	}
	return t, o.names(t)
}

func checkService(name string) error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`).MatchString(name) {
		return fault.New(fault.Invalid, "a service is named with 1 to 64 small letters, digits or . _ -")
	}
	if name+".pem" == authorityFile || name+".pem" == listFile {
		return fault.New(fault.Invalid, "this name is taken by a file of the authority; name the service otherwise")
	}
	return nil
}

func usages(word string) ([]x509.ExtKeyUsage, error) {
	switch word {
	case UsageServer:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, nil
	case UsageClient:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, nil
	case UsageBoth:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, nil
	}
	return nil, fault.New(fault.Invalid, "a certificate is for server, client or both")
}

// names puts the subject alternative names into the template.
func (o Order) names(t *x509.Certificate) error {
	switch n := len(o.DNS) + len(o.URIs) + len(o.IPs); {
	case n == 0:
		return fault.New(fault.Missing, "a certificate needs a name: give --name, --uri or --ip")
	case n > maxNames:
		return fault.New(fault.TooLarge, "a certificate has at most %d names", maxNames)
	}
	for _, name := range o.DNS {
		if !hostname(name) {
			return fault.New(fault.Invalid, "a DNS name is written such as cpm.hub.example: small letters, digits and -, without *")
		}
	}
	t.DNSNames = o.DNS
	for _, text := range o.URIs {
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || len(text) > maxURI || !printable(text) || u.String() != text {
			return fault.New(fault.Invalid, "a URI is written such as spiffe://hub.example/cpm")
		}
		t.URIs = append(t.URIs, u)
	}
	for _, text := range o.IPs {
		ip := net.ParseIP(text)
		if ip == nil {
			return fault.New(fault.Invalid, "an IP address is written such as 192.0.2.1 or 2001:db8::1")
		}
		t.IPAddresses = append(t.IPAddresses, ip)
	}
	return nil
}

// hostname says whether a text is a DNS name that can stand in a certificate and in a grant. Names with * are refused:
// a name stands for one service.
func hostname(name string) bool {
	if len(name) > 253 {
		return false
	}
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	return !slices.ContainsFunc(strings.Split(name, "."), func(l string) bool { return !label.MatchString(l) })
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f })
}
