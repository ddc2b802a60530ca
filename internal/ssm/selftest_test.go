package ssm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/fspiop"
)

var update = flag.Bool("update", false, "make new known answers")

func TestSelfTestPasses(t *testing.T) {
	if *update {
		writeAnswers(t)
		writeDataAnswers(t)
		return
	}
	if err := SelfTest(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSelfTestNoticesWrongAnswers(t *testing.T) {
	t.Parallel()
	var answers []answer
	if err := json.Unmarshal(knownAnswers, &answers); err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		wrong := a
		wrong.Signature = append([]byte(nil), a.Signature...)
		wrong.Signature[len(wrong.Signature)/2] ^= 1
		if wrong.check() == nil {
			t.Errorf("%s: a wrong signature passes", a.Algorithm)
		}
		wrong = a
		wrong.Private = answers[(i+4)%len(answers)].Private
		if wrong.Private != a.Private && wrong.check() == nil {
			t.Errorf("%s: another key passes", a.Algorithm)
		}
	}
	for _, private := range []string{"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if (answer{Algorithm: "RS256", Private: private}).check() == nil {
			t.Error("no key passes")
		}
	}
	if (answer{Algorithm: "none"}).check() == nil {
		t.Error("an unknown algorithm passes")
	}
}

func writeAnswers(t *testing.T) {
	keys := map[string]crypto.Signer{}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	fatal(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	fatal(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	keys["R"], keys["P"], keys["ES256"], keys["ES384"], keys["EdDSA"] = r, r, p256, p384, ed
	var answers []answer
	for _, name := range fspiop.AlgorithmNames() {
		key := keys[name]
		if key == nil {
			key = keys[name[:1]]
		}
		algorithm, _ := fspiop.AlgorithmNamed(name)
		signature, err := algorithm.Sign(rand.Reader, key, []byte(selfTestInput))
		fatal(t, err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		fatal(t, err)
		answers = append(answers, answer{
			Algorithm: name, Private: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
			Signature: signature, Deterministic: strings.HasPrefix(name, "RS") || name == "EdDSA",
		})
	}
	text, err := json.MarshalIndent(answers, "", "  ")
	fatal(t, err)
	fatal(t, os.WriteFile("selftest.json", append(text, '\n'), 0o600))
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
