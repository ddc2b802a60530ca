package fspiop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

// jwk is the private RSA key of RFC 7515, appendix A.2, which the example of the FSPIOP specification uses too.
const jwk = `{"e":"AQAB",
"n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
"d":"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
"p":"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
"q":"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"}`

// rsaKey is the key of RFC 7515, appendix A.2.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	var text map[string]string
	must(0, json.Unmarshal([]byte(jwk), &text))
	number := func(name string) *big.Int {
		return new(big.Int).SetBytes(must(base64.RawURLEncoding.DecodeString(text[name])))
	}
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: number("n"), E: 65537}, D: number("d"), Primes: []*big.Int{number("p"), number("q")},
	}
	k.Precompute()
	return k
})

var (
	p256Key = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
)

// edKey is the same in every process, so that what it signs is too.
func edKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("fspiop", 6))[:32])
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// signerFor is a key for each algorithm of the registry.
func signerFor(algorithm string) crypto.Signer {
	switch algorithm {
	case "ES256":
		return p256Key()
	case "ES384":
		return p384Key()
	case "EdDSA":
		return edKey()
	}
	return rsaKey()
}

func algorithmNamed(t testing.TB, name string) Algorithm {
	t.Helper()
	a, ok := AlgorithmNamed(name)
	if !ok {
		t.Fatalf("there is no algorithm %s", name)
	}
	return a
}

const sampleDate = "Tue, 23 May 2017 21:12:31 GMT"

func sampleTime() time.Time { return time.Date(2017, 5, 23, 21, 12, 31, 0, time.UTC) }

// sampleBody has its members neither sorted nor compact.
const sampleBody = `{ "quoteId": "59e331fa", "amount": {"currency":"USD", "amount":"150"} }`

// bodyOfSize is JSON of about that many bytes, its members unsorted.
func bodyOfSize(size int) []byte {
	const head = `{"quoteId":"59e331fa-345f-4554-aac8-fcd8833f7d50","amount":{"currency":"USD","amount":"150"},"note":"`
	return []byte(head + strings.Repeat("n", max(0, size-len(head)-2)) + `"}`)
}

// sampleMessage is one a payer's FSP may sign.
func sampleMessage() *Message {
	return &Message{
		Method: "POST", URI: "/quotes", Body: []byte(sampleBody),
		Headers: map[string]string{
			"content-type": "application/vnd.interoperability.quotes+json;version=1.0", "date": sampleDate,
			"fspiop-source": "payerfsp", "fspiop-destination": "payeefsp",
		},
	}
}

// crafted is a message whose signature a test puts together by itself, so that it can be wrong in one thing only.
type crafted struct {
	message *Message
	// protected are names and JSON texts, in order; json stands for all of them when it is set.
	protected [][2]string
	json      string
	// covered is the body that is signed.
	covered   string
	algorithm string
	signer    crypto.Signer
	// edit changes the header value last.
	edit func(string) string

	keys   []Key
	fsp    string
	policy *cpm.Policy
	now    time.Time
}

// craft is a message that verifies.
func craft() *crafted {
	c := &crafted{
		message: sampleMessage(), covered: sampleBody, algorithm: "EdDSA", signer: edKey(), fsp: "payerfsp",
		protected: [][2]string{
			{"alg", `"EdDSA"`},
			{"FSPIOP-URI", `"/quotes"`},
			{"FSPIOP-HTTP-Method", `"POST"`},
			{"FSPIOP-Source", `"payerfsp"`},
			{"FSPIOP-Destination", `"payeefsp"`},
			{"Date", `"` + sampleDate + `"`},
		},
		keys: []Key{{Public: edKey().Public()}}, policy: DefaultPolicy(), now: sampleTime(),
	}
	c.policy.Algorithms = AlgorithmNames()
	return c
}

// set puts a member in the place of one of the same name, or at the end.
func (c *crafted) set(name, text string) {
	for i := range c.protected {
		if c.protected[i][0] == name {
			c.protected[i][1] = text
			return
		}
	}
	c.protected = append(c.protected, [2]string{name, text})
}

func (c *crafted) remove(name string) {
	kept := c.protected[:0]
	for _, m := range c.protected {
		if m[0] != name {
			kept = append(kept, m)
		}
	}
	c.protected = kept
}

// encodedHeader is the protected header as it is signed.
func (c *crafted) encodedHeader() string {
	text := c.json
	if text == "" {
		members := make([]string, len(c.protected))
		for i, m := range c.protected {
			members[i] = fmt.Sprintf("%q:%s", m[0], m[1])
		}
		text = "{" + strings.Join(members, ",") + "}"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// verify signs, unless the message has a signature already, and verifies.
func (c *crafted) verify(t testing.TB) Verdict {
	t.Helper()
	if _, there := c.message.Headers["fspiop-signature"]; !there {
		encoded := c.encodedHeader()
		input := encoded + "." + base64.RawURLEncoding.EncodeToString([]byte(c.covered))
		signature, err := algorithmNamed(t, c.algorithm).Sign(rand.Reader, c.signer, []byte(input))
		if err != nil {
			t.Fatal(err)
		}
		c.message.Headers["fspiop-signature"] = fmt.Sprintf(`{"signature":%q,"protectedHeader":%q}`,
			base64.RawURLEncoding.EncodeToString(signature), encoded)
	}
	if c.edit != nil {
		c.message.Headers["fspiop-signature"] = c.edit(c.message.Headers["fspiop-signature"])
	}
	return Verify(c.keys, c.fsp, c.message, c.policy, c.now)
}
