package core_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// issuer is a certificate authority of a test.
type issuer struct {
	t    testing.TB
	key  crypto.Signer
	cert *x509.Certificate
	text string
}

var usageOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}

func newIssuer(t testing.TB, now time.Time, name string, parent *issuer) *issuer {
	t.Helper()
	i := &issuer{t: t, key: newECKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(24 * 365 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if parent == nil {
		parent = &issuer{t: t, key: i.key, cert: template}
	}
	i.text = parent.make(template, i.key)
	block, _ := pem.Decode([]byte(i.text))
	i.cert, _ = x509.ParseCertificate(block.Bytes)
	return i
}

func (i *issuer) make(template *x509.Certificate, key crypto.Signer) string {
	i.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, key.Public(), i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// leaf is a template of a certificate that is good for payeefsp.
func (i *issuer) leaf(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "payeefsp"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, UnknownExtKeyUsage: []asn1.ObjectIdentifier{usageOID},
	}
}

func (i *issuer) list(now time.Time, serials ...int64) string {
	i.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(30 * time.Minute)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, i.cert, i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func (r *rig) certificatePolicy(p keys.CertificatePolicy) error {
	r.t.Helper()
	text, err := json.Marshal(p)
	r.must(err)
	_, err = r.change("config.apply", "", core.Document{Settings: map[string]json.RawMessage{"keyCertificates": text}})
	return err
}

// certified are the members of an Add with a certificate.
func (p *participant) certified(certificate string, key crypto.Signer) claims {
	c := p.add("jws", "sig", key)
	delete(c, "key")
	c["certificate"] = certificate
	return c
}

func TestWithoutAnAuthorityACertificateIsAContainer(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	key := newECKey(t)
	i := newIssuer(t, r.now().Add(-time.Hour*48), "any", nil)
	old := i.leaf(r.now().Add(-time.Hour * 24)) // has expired
	p.mustSend(p.certified(i.make(old, key)+i.text, key))
	v := p.versions("jws")[0]
	if v.State != "Active" || v.NotAfter != nil || len(v.Certificate) == 0 || r.verify("payeefsp", r.signedBy(key)) != "" {
		t.Errorf("%+v", v)
	}
	_, err := p.send(p.certified("x", key))
	kind(t, err, fault.Invalid)
	_, err = p.send(p.add("jws", "sig", key, claims{"key": i.make(old, key)}))
	kind(t, err, fault.Invalid)
}

func TestACertificateIsJudgedByThePolicy(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	root := newIssuer(t, r.now(), "root", nil)
	middle, foreign := newIssuer(t, r.now(), "middle", root), newIssuer(t, r.now(), "root", nil)
	r.must(r.certificatePolicy(keys.CertificatePolicy{
		Authorities: root.text + middle.text, RevocationLists: root.list(r.now(), 99) + middle.list(r.now(), 13),
		ExtendedKeyUsages: []string{usageOID.String()}, RequireName: true, Required: true,
	}))
	key := newECKey(t)
	good := func(i *issuer, change func(*x509.Certificate)) string {
		leaf := i.leaf(r.now())
		change(leaf)
		return i.make(leaf, key)
	}
	same := func(*x509.Certificate) {}
	for name, text := range map[string]string{
		"expired":               good(root, func(c *x509.Certificate) { c.NotAfter = r.now().Add(-time.Minute) }),
		"not yet valid":         good(root, func(c *x509.Certificate) { c.NotBefore = r.now().Add(time.Minute) }),
		"another root's":        good(foreign, same),
		"another root's, chain": good(foreign, same) + foreign.text,
		"an authority":          good(root, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign }),
		"no key usage":          good(root, func(c *x509.Certificate) { c.KeyUsage = 0 }),
		"another key usage":     good(root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }),
		"no extended usage":     good(root, func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil }),
		"another extended usage": good(root, func(c *x509.Certificate) {
			c.UnknownExtKeyUsage, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		}),
		"another FSP":            good(root, func(c *x509.Certificate) { c.Subject.CommonName = "payerfsp" }),
		"name in another case":   good(root, func(c *x509.Certificate) { c.Subject.CommonName = "PayeeFSP" }),
		"revoked":                good(middle, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(13) }),
		"garbage":                "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		"too many certificates":  strings.Repeat(good(root, same), 7),
		"a key among them":       good(root, same) + publicPEM(t, key),
		"the authority in front": root.text + good(root, same),
	} {
		_, err := p.send(p.certified(text, key))
		kind(t, err, fault.Invalid)
		lines := r.logged("key.update-refused")
		if lines[len(lines)-1]["outcome"] != "certificate" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := p.send(p.add("jws", "sig", key))
	kind(t, err, fault.Invalid) // Required
	_, err = p.send(p.sealed("jws", p.sealTo(pkcs8(t, key), sealing{})))
	kind(t, err, fault.Invalid)
	if len(p.versions("jws")) != 0 {
		t.Fatal("something was added")
	}

	leaf := good(middle, func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "", []string{"payeefsp"} })
	p.mustSend(p.certified(leaf, key))
	if v := p.versions("jws")[0]; v.NotAfter == nil || v.NotAfter.After(r.now().Add(time.Hour)) {
		t.Errorf("the key outlives its certificate: %+v", v)
	}
	p.mustSend(p.certified(good(root, same), key))
	r.must(r.add(keys.Addition{FSP: "payeefsp", Name: "byOperator", Use: "sig", Public: good(root, same)}))
	kind(t, r.add(keys.Addition{FSP: "payeefsp", Name: "byOperator", Use: "sig", Public: good(foreign, same)}), fault.Invalid)
	r.pass(31 * time.Minute)
	_, err = p.send(p.certified(good(root, same), key)) // the lists have expired
	kind(t, err, fault.Invalid)
}

func (r *rig) add(a keys.Addition) error {
	r.t.Helper()
	_, err := r.change("key.add", "", a)
	return err
}

func TestAWrongCertificatePolicyIsRefused(t *testing.T) {
	t.Parallel()
	r := running(t)
	root := newIssuer(t, r.now(), "root", nil)
	middle := newIssuer(t, r.now(), "middle", root)
	foreign := newIssuer(t, r.now(), "foreign", nil)
	for name, policy := range map[string]keys.CertificatePolicy{
		"nothing":       {},
		"no root":       {Authorities: middle.text},
		"a leaf":        {Authorities: root.text + root.make(root.leaf(r.now()), newECKey(t))},
		"not PEM":       {Authorities: "x"},
		"a wrong list":  {Authorities: root.text, RevocationLists: "x"},
		"foreign lists": {Authorities: root.text, RevocationLists: foreign.list(r.now())},
	} {
		if err := r.certificatePolicy(policy); err == nil || !strings.Contains(fault.From(err).Public, "keyCertificates") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.must(r.certificatePolicy(keys.CertificatePolicy{Authorities: root.text}))
}
