package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

// noon is a moment in whole seconds, as certificates have them.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func newDirectory(t *testing.T) *Directory {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	if _, err := Init(dir, "test authority", noon(), DefaultAuthorityLifetime); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func issue(t *testing.T, d *Directory, service string) Record {
	t.Helper()
	r, err := d.Issue(noon(), Order{Service: service, DNS: []string{service + ".example"}, Usage: UsageBoth, Lifetime: DefaultLifetime})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func certificateOf(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want kind %s", err, want)
	}
}

func TestAnIssuedCertificateIsWhatWasOrdered(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	r, err := d.Issue(noon(), Order{
		Service: "cpm", DNS: []string{"cpm.example", "localhost"}, URIs: []string{"spiffe://hub.example/cpm"}, IPs: []string{"127.0.0.1", "::1"},
		Usage: UsageServer, Lifetime: 10 * day,
	})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(r.Certificate, r.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificateOf(t, d.file(authorityFile)))
	for _, name := range []string{"cpm.example", "localhost", "127.0.0.1", "[::1]"} {
		options := x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: noon(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		if _, err := pair.Leaf.Verify(options); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	asClient := x509.VerifyOptions{Roots: roots, CurrentTime: noon(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := pair.Leaf.Verify(asClient); err == nil {
		t.Error("a certificate for servers is accepted of a client")
	}
	if !pair.Leaf.NotAfter.Equal(noon().Add(10*day)) || pair.Leaf.URIs[0].String() != "spiffe://hub.example/cpm" {
		t.Errorf("%v %v", pair.Leaf.NotAfter, pair.Leaf.URIs)
	}
	if diff := cmp.Diff([]Record{r}, d.List()); diff != "" {
		t.Error(diff)
	}
}

func TestTheAuthoritySignsNoAuthority(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	c := certificateOf(t, d.file(authorityFile))
	if !c.IsCA || !c.MaxPathLenZero || c.MaxPathLen != 0 || c.PublicKeyAlgorithm != x509.ECDSA || c.SignatureAlgorithm != x509.ECDSAWithSHA384 {
		t.Errorf("%v %v %v %v", c.IsCA, c.MaxPathLen, c.PublicKeyAlgorithm, c.SignatureAlgorithm)
	}
	if r, err := d.Authority(); err != nil || !r.NotAfter.Equal(noon().Add(DefaultAuthorityLifetime)) {
		t.Errorf("%v %v", r, err)
	}
}

func TestOrdersThatMakeNoCertificate(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	issue(t, d, "there")
	good := Order{Service: "new", DNS: []string{"new.example"}, Usage: UsageBoth, Lifetime: DefaultLifetime}
	for name, c := range map[string]struct {
		change func(*Order)
		want   fault.Kind
	}{
		"no name":                 {func(o *Order) { o.DNS = nil }, fault.Missing},
		"too many names":          {func(o *Order) { o.DNS = make([]string, maxNames+1) }, fault.TooLarge},
		"a pattern":               {func(o *Order) { o.DNS = []string{"*.example"} }, fault.Invalid},
		"capital letters":         {func(o *Order) { o.DNS = []string{"New.example"} }, fault.Invalid},
		"an empty label":          {func(o *Order) { o.DNS = []string{"new..example"} }, fault.Invalid},
		"a URI without a host":    {func(o *Order) { o.URIs = []string{"urn:uuid:1"} }, fault.Invalid},
		"a URI with a password":   {func(o *Order) { o.URIs = []string{"spiffe://a:b@hub.example/x"} }, fault.Invalid},
		"a URI with a space":      {func(o *Order) { o.URIs = []string{"spiffe://hub.example/a b"} }, fault.Invalid},
		"an address with a mask":  {func(o *Order) { o.IPs = []string{"192.0.2.0/24"} }, fault.Invalid},
		"an unknown usage":        {func(o *Order) { o.Usage = "mail" }, fault.Invalid},
		"no time":                 {func(o *Order) { o.Lifetime = 0 }, fault.Invalid},
		"too long":                {func(o *Order) { o.Lifetime = maxLifetime + day }, fault.Invalid},
		"a path for a name":       {func(o *Order) { o.Service = "../new" }, fault.Invalid},
		"a hidden file":           {func(o *Order) { o.Service = ".new" }, fault.Invalid},
		"a name of the authority": {func(o *Order) { o.Service = "crl" }, fault.Invalid},
		"one that is there":       {func(o *Order) { o.Service = "there" }, fault.State},
	} {
		o := good
		c.change(&o)
		_, err := d.Issue(noon(), o)
		t.Log(name)
		wantKind(t, err, c.want)
	}
	if n := len(d.List()); n != 1 {
		t.Errorf("%d certificates in the index, want 1", n)
	}
	_, err := d.Issue(noon().Add(DefaultAuthorityLifetime-day), good)
	wantKind(t, err, fault.State)
}

func TestIssueOverwritesNoFile(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	if err := os.WriteFile(d.file("svc.key"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := d.Issue(noon(), Order{Service: "svc", DNS: []string{"svc"}, Usage: UsageBoth, Lifetime: day})
	wantKind(t, err, fault.State)
	if text, _ := os.ReadFile(d.file("svc.key")); string(text) != "mine" {
		t.Error("the file is overwritten")
	}
}

func TestRenewKeepsTheNamesAndChangesTheKey(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	first := issue(t, d, "svc")
	before := certificateOf(t, first.Certificate)
	second, err := d.Renew(noon().Add(80*day), "svc", DefaultLifetime, "")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(second.Certificate, second.Key)
	if err != nil {
		t.Fatal(err)
	}
	if second.Certificate != first.Certificate || bytes.Equal(pair.Leaf.RawSubjectPublicKeyInfo, before.RawSubjectPublicKeyInfo) {
		t.Error("the files moved or the key stayed")
	}
	if diff := cmp.Diff(before.DNSNames, pair.Leaf.DNSNames); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(second.Key); err != nil || info.Mode().Perm() != private {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if states := []string{d.List()[0].State(noon().Add(91 * day)), d.List()[1].State(noon().Add(91 * day))}; states[0] != "expired" || states[1] != "valid" {
		t.Error(states)
	}
	_, err = d.Renew(noon(), "nobody", DefaultLifetime, "")
	wantKind(t, err, fault.NotFound)
}

func TestInitOverwritesNothing(t *testing.T) {
	t.Parallel()
	for _, file := range []string{authorityFile, keyFile, indexFile, listFile} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Init(dir, "a", noon(), day)
		wantKind(t, err, fault.State)
		if text, _ := os.ReadFile(filepath.Join(dir, file)); string(text) != "mine" {
			t.Errorf("%s is overwritten", file)
		}
	}
	for name, valid := range map[string]time.Duration{"": day, "line\nbreak": day, "none": 0, "endless": maxAuthority + day} {
		_, err := Init(t.TempDir(), name, noon(), valid)
		wantKind(t, err, fault.Invalid)
	}
}

func TestADirectoryIsOpenedByOne(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	_, err := Open(d.path)
	wantKind(t, err, fault.Busy)
}

func TestDamagedDirectoriesSignNothing(t *testing.T) {
	t.Parallel()
	other := newDirectory(t)
	for name, damage := range map[string]func(dir string) error{
		"no index":         func(dir string) error { return os.Remove(filepath.Join(dir, indexFile)) },
		"half an index":    func(dir string) error { return os.WriteFile(filepath.Join(dir, indexFile), []byte(`{"listNu`), 0o600) },
		"no authority":     func(dir string) error { return os.Remove(filepath.Join(dir, authorityFile)) },
		"empty authority":  func(dir string) error { return os.WriteFile(filepath.Join(dir, authorityFile), nil, 0o600) },
		"no key":           func(dir string) error { return os.Remove(filepath.Join(dir, keyFile)) },
		"empty key":        func(dir string) error { return os.WriteFile(filepath.Join(dir, keyFile), nil, 0o600) },
		"key for everyone": func(dir string) error { return os.Chmod(filepath.Join(dir, keyFile), 0o640) },
		"a foreign key": func(dir string) error {
			text, err := os.ReadFile(other.file(keyFile))
			return errors.Join(err, os.WriteFile(filepath.Join(dir, keyFile), text, 0o600))
		},
	} {
		dir := filepath.Join(t.TempDir(), "ca")
		if _, err := Init(dir, "a", noon(), DefaultAuthorityLifetime); err != nil {
			t.Fatal(err)
		}
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		wantKind(t, tryIssue(dir), fault.State)
	}
}

func tryIssue(dir string) error {
	d, err := Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.Issue(noon(), Order{Service: "svc", DNS: []string{"svc"}, Usage: UsageBoth, Lifetime: day})
	return err
}
