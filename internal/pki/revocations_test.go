package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// listOf reads a directory's own list as a process does that follows it.
func listOf(t *testing.T, d *Directory) *Revocations {
	t.Helper()
	text, err := os.ReadFile(d.file(listFile))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReadRevocations(text, []*x509.Certificate{certificateOf(t, d.file(authorityFile))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func chainOf(t *testing.T, d *Directory, r Record) [][]*x509.Certificate {
	t.Helper()
	return [][]*x509.Certificate{{certificateOf(t, r.Certificate), certificateOf(t, d.file(authorityFile))}}
}

func TestARevokedCertificateIsRefusedAndOthersAreNot(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	good, bad := issue(t, d, "good"), issue(t, d, "bad")
	if err := listOf(t, d).Check(chainOf(t, d, bad), noon()); err != nil {
		t.Errorf("before: %v", err)
	}
	goodChain, badChain := chainOf(t, d, good), chainOf(t, d, bad)
	if _, err := d.Revoke(noon(), "bad", "", "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	list, err := d.Publish(noon(), DefaultListLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if list.Number != 2 || list.Revoked != 1 {
		t.Errorf("%+v", list)
	}
	r := listOf(t, d)
	if err := r.Check(goodChain, noon()); err != nil {
		t.Error(err)
	}
	if err := r.Check(badChain, noon()); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	// One chain that names a revoked certificate is enough to refuse.
	if err := r.Check(append(goodChain, badChain...), noon()); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	if lives := r.Lives(); len(lives) != 1 || lives[0].Subject != "test authority" || !lives[0].Until.Equal(noon().Add(DefaultListLifetime)) {
		t.Error(lives)
	}
}

func TestAnExpiredListRefusesEverybody(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	r := listOf(t, d)
	chain := chainOf(t, d, issue(t, d, "svc"))
	if err := r.Check(chain, noon().Add(DefaultListLifetime)); err != nil {
		t.Error(err)
	}
	if err := r.Check(chain, noon().Add(DefaultListLifetime+time.Second)); !errors.Is(err, ErrListExpired) {
		t.Error(err)
	}
}

func TestAnAuthorityWithoutAListIsRefused(t *testing.T) {
	t.Parallel()
	d, other := newDirectory(t), newDirectory(t)
	foreign := chainOf(t, other, issue(t, other, "svc"))
	// Both authorities have one name; the keys tell them apart.
	if err := listOf(t, d).Check(foreign, noon()); !errors.Is(err, ErrNoList) {
		t.Error(err)
	}
	if err := listOf(t, d).Check(nil, noon()); !errors.Is(err, ErrNoList) {
		t.Error(err)
	}
}

func TestRevokeFindsCertificatesBySerialNumberAndService(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	first := issue(t, d, "svc")
	second, err := d.Renew(noon(), "svc", DefaultLifetime, "")
	if err != nil {
		t.Fatal(err)
	}
	issue(t, d, "other")
	for _, wrong := range []struct {
		service, serial, reason string
		want                    fault.Kind
	}{
		{"svc", "", "boredom", fault.Invalid},
		{"nobody", "", "superseded", fault.NotFound},
		{"svc", "not a number", "superseded", fault.Invalid},
		{"svc", "1", "superseded", fault.State},
		{"other", first.Serial, "superseded", fault.State},
	} {
		_, err := d.Revoke(noon(), wrong.service, wrong.serial, wrong.reason)
		wantKind(t, err, wrong.want)
	}
	one, err := d.Revoke(noon(), "svc", "00:"+first.Serial, "superseded")
	if err != nil || len(one) != 1 || one[0].Serial != first.Serial {
		t.Errorf("%v %v", one, err)
	}
	rest, err := d.Revoke(noon(), "svc", "", "cessationOfOperation")
	if err != nil || len(rest) != 1 || rest[0].Serial != second.Serial {
		t.Errorf("%v %v", rest, err)
	}
	_, err = d.Renew(noon(), "svc", DefaultLifetime, "")
	wantKind(t, err, fault.State)
	// What is revoked is remembered by the next process too.
	again, err := readIndex(d.file(indexFile))
	if err != nil || again.Certificates[0].State(noon()) != "revoked" || again.Certificates[2].State(noon()) != "valid" {
		t.Errorf("%+v %v", again, err)
	}
}

// signedList is a list as another program might make it.
func signedList(t *testing.T, d *Directory, change func(*x509.RevocationList)) []byte {
	t.Helper()
	a, err := d.authority()
	if err != nil {
		t.Fatal(err)
	}
	l := &x509.RevocationList{Number: big.NewInt(9), ThisUpdate: noon(), NextUpdate: noon().Add(day)}
	change(l)
	der, err := x509.CreateRevocationList(rand.Reader, l, a.parsed, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: listBlock, Bytes: der})
}

func TestListsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	d, other := newDirectory(t), newDirectory(t)
	plain := signedList(t, d, func(*x509.RevocationList) {})
	authorities := []*x509.Certificate{certificateOf(t, d.file(authorityFile))}
	if _, err := ReadRevocations(plain, authorities); err != nil {
		t.Fatal(err)
	}
	partial := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}
	damaged := append([]byte{}, plain...)
	damaged[len(damaged)/2] ^= 1
	for name, text := range map[string][]byte{
		"nothing":             nil,
		"no PEM":              []byte("-----BEGIN X509 CRL-----\nAAAA"),
		"a certificate":       mustRead(t, d.file(authorityFile)),
		"one damaged":         damaged,
		"of another":          signedList(t, other, func(*x509.RevocationList) {}),
		"one good, one bad":   append(append([]byte{}, plain...), signedList(t, other, func(*x509.RevocationList) {})...),
		"a partial one":       signedList(t, d, func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{partial} }),
		"an indirect entry":   signedList(t, d, indirect),
		"a list of no length": pem.EncodeToMemory(&pem.Block{Type: listBlock}),
	} {
		if _, err := ReadRevocations(text, authorities); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func indirect(l *x509.RevocationList) {
	l.RevokedCertificateEntries = []x509.RevocationListEntry{{
		SerialNumber: big.NewInt(1), RevocationTime: noon(),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}},
	}}
}

func TestTheLaterOfTwoListsCounts(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	svc := issue(t, d, "svc")
	n, _ := number(svc.Serial)
	older := signedList(t, d, func(l *x509.RevocationList) {})
	newer := signedList(t, d, func(l *x509.RevocationList) {
		l.ThisUpdate = noon().Add(time.Hour)
		l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: n, RevocationTime: noon()}}
	})
	for _, text := range [][]byte{append(append([]byte{}, older...), newer...), append(append([]byte{}, newer...), older...)} {
		r, err := ReadRevocations(text, []*x509.Certificate{certificateOf(t, d.file(authorityFile))})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Check(chainOf(t, d, svc), noon()); !errors.Is(err, ErrRevoked) {
			t.Error(err)
		}
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzReadRevocations(f *testing.F) {
	authority, err := NewAuthority(noon(), "fuzz")
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon(), NextUpdate: noon().Add(day)}, authority.parsed, authority.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: listBlock, Bytes: der}))
	f.Add([]byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"))
	f.Add([]byte{})
	stranger, err := NewAuthority(noon(), "fuzz")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		// Nobody can sign for the stranger: whatever the text is, it is not taken.
		if r, err := ReadRevocations(text, []*x509.Certificate{stranger.parsed}); err == nil {
			t.Errorf("a list nobody signed is taken: %v", r)
		}
	})
}
