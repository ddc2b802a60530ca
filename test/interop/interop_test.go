// Package interop checks the CPM against the real Mojaloop library on Node, three generations of it, in both directions.
package interop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
)

// generations are the library's versions by the name the peer knows them under.
var generations = map[string]string{"a": "18.4.1", "b": "19.18.8", "c": "19.19.1"}

// message is one sample request.
type message struct {
	Name     string            `json:"name"`
	Method   string            `json:"method"`
	URI      string            `json:"uri"`
	Headers  map[string]string `json:"headers"`
	BodyText string            `json:"bodyText"`
}

func messages(t *testing.T) []message {
	t.Helper()
	text, err := os.ReadFile("node/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []message
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Fatalf("only %d messages", len(all))
	}
	return all
}

// key is one key pair as both sides take it.
type key struct {
	name, algorithm string
	private, public string
}

func newKeys(t *testing.T) []key {
	t.Helper()
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	fatal(t, err)
	rsa4096, err := rsa.GenerateKey(rand.Reader, 4096)
	fatal(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	sec1, err := x509.MarshalECPrivateKey(p256)
	fatal(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsa4096)
	fatal(t, err)
	return []key{
		{"rsa-2048", "RS256", text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa2048)), public(t, rsa2048)},
		{"rsa-4096", "RS256", text("PRIVATE KEY", pkcs8), public(t, rsa4096)},
		{"p-256", "ES256", text("EC PRIVATE KEY", sec1), public(t, p256)},
	}
}

func text(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func public(t *testing.T, k crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	fatal(t, err)
	return text("PUBLIC KEY", der)
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestNode signs every sample with the CPM and has each generation judge it, and the other way round, for three types of
// key.
func TestNode(t *testing.T) {
	node := startPeer(t)
	versions := node.versions(t)
	for name, want := range generations {
		if versions[name] != want {
			t.Fatalf("generation %s is %s, want %s", name, versions[name], want)
		}
	}
	samples, pairs := messages(t), newKeys(t)
	m := startCPM(t, samples, pairs)
	for _, k := range pairs {
		t.Run(k.name, func(t *testing.T) {
			t.Run("the CPM signs, Node validates", func(t *testing.T) { weSign(t, m, node, k, samples) })
			for _, how := range []string{"sign", "getSignature"} {
				t.Run("Node signs with "+how+", the CPM verifies", func(t *testing.T) { theySign(t, m, node, k, samples, how) })
			}
		})
	}
}

func startCPM(t *testing.T, samples []message, pairs []key) *cpmtest.CPM {
	t.Helper()
	sources := map[string]bool{}
	for _, s := range samples {
		sources[s.Headers["fspiop-source"]] = true
	}
	var fsps []core.FSPEntry
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		fsps = append(fsps, core.FSPEntry{Name: name})
	}
	m := cpmtest.Start(t, cpmtest.Config{Document: core.Document{FSPs: fsps}})
	for _, f := range fsps {
		for _, k := range pairs {
			m.AddKey(keys.Addition{FSP: cpm.FSP(f.Name), Name: k.name, Use: cpm.UseSignature}, []byte(k.private))
		}
	}
	return m
}

// weSign: a generation validates exactly those of our bodies that it writes the same way itself. That is all of them,
// but for objects with several integer-like names, which the older two cannot write in sorted order.
func weSign(t *testing.T, m *cpmtest.CPM, node *peer, k key, samples []message) {
	client := m.HTTP(cpmtest.Client)
	accepted := map[string]int{}
	for _, s := range samples {
		source := s.Headers["fspiop-source"]
		var signed struct {
			Headers   map[string]string
			Body      string
			Algorithm string
		}
		call(t, client, m.URL("/v1/fsps/"+source+"/jws/sign"), map[string]any{
			"method": s.Method, "uri": s.URI, "headers": s.Headers, "body": s.BodyText, "key": map[string]any{"name": k.name},
		}, &signed)
		if signed.Algorithm != k.algorithm {
			t.Fatalf("%s: signed with %s", s.Name, signed.Algorithm)
		}
		headers := maps.Clone(s.Headers)
		maps.Copy(headers, signed.Headers)
		written := node.canon(t, signed.Body)
		for _, g := range slices.Sorted(maps.Keys(generations)) {
			valid, why := node.verify(t, g, map[string]string{source: k.public}, headers, signed.Body)
			if want := written[g] == signed.Body; valid != want {
				t.Errorf("%s: generation %s says %v (%s), want %v", s.Name, g, valid, why, want)
			}
			if valid {
				accepted[g]++
			} else if g == "c" || !strings.Contains(s.Name, "integer-like") {
				t.Errorf("%s: generation %s refuses our signature: %s", s.Name, g, why)
			}
		}
	}
	t.Logf("%d messages signed; accepted: %v", len(samples), accepted)
}

// theySign: we verify whatever a generation signs, in the form it signed: raw as sent, and the canonical forms when an
// intermediary wrote the body anew.
func theySign(t *testing.T, m *cpmtest.CPM, node *peer, k key, samples []message, how string) {
	client := m.HTTP(cpmtest.Client)
	forms := map[string]int{}
	for _, g := range slices.Sorted(maps.Keys(generations)) {
		for _, s := range samples {
			signed := node.sign(t, g, how, k.private, s)
			verify := func(body string) (out struct {
				Valid        bool
				Form, Reason string
			},
			) {
				call(t, client, m.URL("/v1/fsps/"+s.Headers["fspiop-source"]+"/jws/verify"), map[string]any{
					"method": s.Method, "uri": s.URI, "headers": signed.Headers, "body": body, "key": map[string]any{"name": k.name},
				}, &out)
				return out
			}
			if v := verify(signed.Body); !v.Valid || v.Form != "raw" {
				t.Errorf("%s by %s: as sent: %+v", s.Name, g, v)
			} else {
				forms[v.Form]++
			}
			spaced := reindent(t, signed.Body)
			if spaced == signed.Body {
				continue // a scalar has no white space to add
			}
			want := "legacy"
			if node.canon(t, signed.Body)["c"] == signed.Body {
				want = "sorted" // the sorted form is tried first, and here both are one
			}
			if v := verify(spaced); !v.Valid || v.Form != want {
				t.Errorf("%s by %s: written anew: %+v, want form %s", s.Name, g, v, want)
			} else {
				forms[v.Form]++
			}
			if v := verify(strings.Replace(signed.Body, `"`, `"x`, 1)); v.Valid && strings.Contains(signed.Body, `"`) {
				t.Errorf("%s by %s: a changed body verifies", s.Name, g)
			}
		}
	}
	t.Logf("verified by form: %v", forms)
}

// reindent adds white space and changes nothing else.
func reindent(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	fatal(t, json.Indent(&out, []byte(body), "", "  "))
	return out.String()
}

// deadline bounds one exchange with the peer.
const deadline = 30 * time.Second
