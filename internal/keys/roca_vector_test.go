package keys

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"math/big"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
)

// The vectors have signatures and keys of the faulty generator: they are right, so what has to be refused is the key.
func TestTheVectorsKeysOfTheFaultyGeneratorAreRefused(t *testing.T) {
	t.Parallel()
	refused := 0
	for _, name := range []string{"json_web_key_test.json", "json_web_crypto_test.json"} {
		text, err := fs.ReadFile(wycheproof.TestVectors, name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			TestGroups []struct {
				Comment string
				Public  json.RawMessage
			} `json:"testGroups"`
		}
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for _, g := range file.TestGroups {
			if g.Comment != "jws_rsa_roca_key" {
				continue
			}
			refused++
			if err := CheckStrength(vectorKey(t, g.Public)); err == nil || !strings.Contains(err.Error(), "generator") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if refused != 2 {
		t.Errorf("%d keys", refused)
	}
}

// vectorKey is the key of a JWK, or the only one of a set.
func vectorKey(t *testing.T, text []byte) *rsa.PublicKey {
	t.Helper()
	var k struct {
		N    string
		Keys []struct{ N string }
	}
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	if len(k.Keys) == 1 {
		k.N = k.Keys[0].N
	}
	n, err := base64.RawURLEncoding.DecodeString(k.N)
	if err != nil {
		t.Fatal(err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
}
