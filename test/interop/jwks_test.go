package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os/exec"
	"testing"

	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
)

// TestNodeReadsPublishedKeys: Node's own reader of JSON Web Keys makes the same keys of the set as the CPM has, and the one
// that signed verifies.
func TestNodeReadsPublishedKeys(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, cpmtest.Config{})
	for name, algorithm := range map[string]string{"a": "ES256", "b": "ES384", "c": "EdDSA", "d": "RS256"} {
		m.AddKey(keys.Addition{FSP: "payerfsp", Name: name, Use: "sig", Generate: algorithm}, nil)
	}
	read := func(path string) []byte {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.URL(path), nil)
		fatal(t, err)
		answer, err := m.HTTP(cpmtest.Client).Do(request)
		fatal(t, err)
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		fatal(t, err)
		if answer.StatusCode != http.StatusOK {
			t.Fatal(answer.Status, string(text))
		}
		return text
	}
	set := read("/v1/fsps/payerfsp/jwks.json")
	s := sampleOf(t, "payerfsp")
	for _, name := range []string{"a", "b", "c", "d"} {
		var out struct{ Headers map[string]string }
		var signature struct{ Signature, ProtectedHeader string }
		call(t, m.HTTP(cpmtest.Client), m.URL("/v1/fsps/payerfsp/jws/sign"), map[string]any{
			"method": s.Method, "uri": s.URI, "headers": s.Headers, "body": "{}", "key": map[string]any{"name": name},
		}, &out)
		fatal(t, json.Unmarshal([]byte(out.Headers["fspiop-signature"]), &signature))
		question, err := json.Marshal(map[string]any{
			"jwks": json.RawMessage(set), "signature": signature.Signature,
			"input": signature.ProtectedHeader + "." + base64.RawURLEncoding.EncodeToString([]byte("{}")),
		})
		fatal(t, err)
		block, _ := pem.Decode(read("/v1/fsps/payerfsp/keys/" + name + ".pem"))
		found := 0
		for _, k := range readKeys(t, question) {
			own := bytes.Equal(k.SPKI, block.Bytes)
			if own {
				found++
			}
			if k.Valid != own {
				t.Errorf("key %s, kid %s: valid %t, the key that signed %t", name, k.Kid, k.Valid, own)
			}
		}
		if found != 1 {
			t.Errorf("key %s is %d times in the set", name, found)
		}
	}
}

type readKey struct {
	Kid   string
	SPKI  []byte
	Valid bool
}

func readKeys(t *testing.T, question []byte) (found []readKey) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node", "keys.js")
	command.Dir = "node"
	command.Stdin = bytes.NewReader(question)
	out, err := command.Output()
	fatal(t, err)
	fatal(t, json.Unmarshal(out, &found))
	return found
}
