package nemesis

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

// party is an FSP whose private key the test has too.
type party struct {
	name string
	key  crypto.Signer
}

// parties are the two FSPs: payerfsp signs with RSA, payeefsp with P-256.
type parties struct{ payer, payee party }

func newParties(t testing.TB) *parties {
	t.Helper()
	heavy, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	light, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return &parties{party{"payerfsp", heavy}, party{"payeefsp", light}}
}

func (p *parties) of(name string) party {
	if name == p.payer.name {
		return p.payer
	}
	return p.payee
}

// pem is the private key as PKCS #8.
func (p party) pem(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// sorts is how many sorts of request there are: sign with RSA, sign with P-256, verify a good message, verify an altered one.
const sorts = 4

// compose makes the request with a number, whose body no other request has. The body is in the form that is signed.
func (p *parties) compose(t testing.TB, id uint64, sort int, port string) sent {
	t.Helper()
	from, to := p.payer, p.payee
	if sort > 0 {
		from, to = to, from
	}
	s := sent{
		port: port, operation: cpm.JWSSign, method: "POST", uri: fmt.Sprintf("/quotes/%d", id), signer: from.key.Public(),
		headers: map[string]string{
			"fspiop-source": from.name, "fspiop-destination": to.name, "date": time.Now().UTC().Format(http.TimeFormat),
		},
		body: fmt.Sprintf(`{"amount":{"amount":"100","currency":"USD"},"quoteId":"%016d"}`, id),
	}
	if sort >= 2 {
		s.operation = cpm.JWSVerify
		from.sign(t, s.method, s.uri, s.body, s.headers)
	}
	if sort == 3 {
		s.body, s.refusal = strings.Replace(s.body, `"100"`, `"900"`, 1), "signature-mismatch"
	}
	return s
}

// sign adds the FSPIOP-Signature over the body, with nothing of the product.
func (p party) sign(t testing.TB, method, uri, body string, headers map[string]string) {
	t.Helper()
	protected, err := json.Marshal(map[string]string{
		"alg": algorithmOf(p.key.Public()), "FSPIOP-URI": uri, "FSPIOP-HTTP-Method": method, "FSPIOP-Source": headers["fspiop-source"],
		"FSPIOP-Destination": headers["fspiop-destination"], "Date": headers["date"],
	})
	must(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(protected) + "." + encode([]byte(body))
	sum := sha256.Sum256([]byte(input))
	var value []byte
	switch k := p.key.(type) {
	case *rsa.PrivateKey:
		value, err = rsa.SignPKCS1v15(nil, k, crypto.SHA256, sum[:])
		must(t, err)
	case *ecdsa.PrivateKey:
		r, v, err := ecdsa.Sign(rand.Reader, k, sum[:])
		must(t, err)
		value = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	}
	field, err := json.Marshal(map[string]string{"signature": encode(value), "protectedHeader": encode(protected)})
	must(t, err)
	headers["fspiop-signature"], headers["fspiop-uri"], headers["fspiop-http-method"] = string(field), uri, method
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
