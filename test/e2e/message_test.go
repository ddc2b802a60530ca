package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"
)

// message is the request of an operation, as JSON decodes it.
type message = map[string]any

// quote is an ordinary message of an FSP. Its body, URI and a header that nobody signs carry the marker, by which an echo
// would be found; the serial number makes it another message than all before.
func quote(fsp, marker string, serial int) message {
	return message{
		"method": "POST", "uri": "/quotes/" + marker,
		"headers": map[string]any{
			"fspiop-source": fsp, "fspiop-destination": "payeefsp", "date": time.Now().UTC().Format(http.TimeFormat),
			"content-type": "application/vnd.interoperability.quotes+json;version=1.0", "x-note": marker,
		},
		"body": fmt.Sprintf(`{"quoteId":"%08d","note":%q,"amount":{"currency":"USD","amount":"100"}}`, serial, marker),
	}
}

// signature is how a participant signs a message. The zero value does it right, with RS256.
type signature struct {
	// Key is the name of the FSP's key that is used, jws if empty.
	Key string `json:"key"`
	// Algorithm is the JOSE name in the protected header and what is done.
	Algorithm string `json:"algorithm"`
	// Protected has members that are set in the protected header; null takes one out.
	Protected map[string]any `json:"protected"`
}

// sign adds the FSPIOP-Signature to m, over the body as it is. It is not the product's code on purpose.
func (s signature) sign(t testing.TB, m message, k keyPair) {
	t.Helper()
	headers := m["headers"].(map[string]any)
	if s.Algorithm == "" {
		s.Algorithm = "RS256"
	}
	protected := map[string]any{
		"alg": s.Algorithm, "FSPIOP-URI": m["uri"], "FSPIOP-HTTP-Method": m["method"],
		"FSPIOP-Source": headers["fspiop-source"], "FSPIOP-Destination": headers["fspiop-destination"], "Date": headers["date"],
	}
	maps.Copy(protected, s.Protected)
	maps.DeleteFunc(protected, func(_ string, v any) bool { return v == nil })
	encoded := encode(marshal(t, protected))
	input := encoded + "." + encode([]byte(m["body"].(string)))
	headers["fspiop-signature"] = string(marshal(t, map[string]string{
		"signature": encode(s.value(t, k, []byte(input))), "protectedHeader": encoded,
	}))
	headers["fspiop-uri"], headers["fspiop-http-method"] = m["uri"], m["method"]
}

// value is the signature's bytes.
func (s signature) value(t testing.TB, k keyPair, input []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(input)
	switch s.Algorithm {
	case "none":
		return nil
	case "HS256": // keyed with what everybody has: the public key
		mac := hmac.New(sha256.New, []byte(k.public(t)))
		mac.Write(input)
		return mac.Sum(nil)
	case "ES256":
		r, v, err := ecdsa.Sign(rand.Reader, k.signer.(*ecdsa.PrivateKey), sum[:])
		must(t, err)
		return append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	case "RS512":
		long := sha512.Sum512(input)
		out, err := rsa.SignPKCS1v15(nil, k.signer.(*rsa.PrivateKey), crypto.SHA512, long[:])
		must(t, err)
		return out
	default:
		out, err := rsa.SignPKCS1v15(nil, k.signer.(*rsa.PrivateKey), crypto.SHA256, sum[:])
		must(t, err)
		return out
	}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return text
}
