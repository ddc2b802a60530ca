package core_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/keys"
)

// participant is an FSP with an update key, at its own end.
type participant struct {
	rig *rig
	fsp string
	alg string
	key crypto.Signer
	seq int64
}

// claims are the members of an update.
type claims map[string]any

func newECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEdKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func spki(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func publicPEM(t testing.TB, key crypto.Signer) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(t, key)}))
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// compact makes a compact JWS of any header and payload.
func compact(t testing.TB, key crypto.Signer, header map[string]any, payload []byte) string {
	t.Helper()
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return signText(t, key, header["alg"], b64(head)+"."+b64(payload))
}

func signText(t testing.TB, key crypto.Signer, alg any, input string) string {
	t.Helper()
	name, _ := alg.(string)
	a, known := fspiop.AlgorithmNamed(name)
	if !known {
		a, _ = fspiop.AlgorithmNamed("ES256")
	}
	signature, err := a.Sign(rand.Reader, key, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(signature)
}

func algOf(t testing.TB, key crypto.Signer) string {
	t.Helper()
	alg, err := fspiop.DefaultAlgorithm(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return alg
}

// enrol has an operator add the FSP's update key.
func (r *rig) enrol(fsp string, key crypto.Signer) *participant {
	r.t.Helper()
	r.addKey(keys.Addition{FSP: cpm.FSP(fsp), Name: "updates", Use: cpm.UseUpdate, Public: publicPEM(r.t, key)})
	return &participant{rig: r, fsp: fsp, alg: algOf(r.t, key), key: key}
}

// base are the members every update has, with the next seq.
func (p *participant) base(action, name string) claims {
	p.seq++
	nonce := sha256.Sum256([]byte{byte(p.seq), byte(p.seq >> 8)})
	return claims{
		"action": action, "fsp": p.fsp, "name": name, "seq": p.seq, "nonce": b64(nonce[:]),
		"exp": p.rig.now().Add(5 * time.Minute).Unix(),
	}
}

// add are the members of an Add with a public key and its proof.
func (p *participant) add(name, use string, key crypto.Signer, more ...claims) claims {
	c := p.base("Add", name)
	c["use"], c["key"] = use, publicPEM(p.rig.t, key)
	for _, m := range more {
		maps.Copy(c, m)
	}
	c["proof"] = p.proof(c, key)
	return c
}

func (p *participant) proof(c claims, key crypto.Signer) string {
	fsp, _ := c["fsp"].(string)
	name, _ := c["name"].(string)
	seq, _ := c["seq"].(int64)
	return compact(p.rig.t, key, map[string]any{"alg": algOf(p.rig.t, key), "typ": "cpm-key-proof+jwt"},
		[]byte(keys.ProofText(cpm.FSP(fsp), name, seq, spki(p.rig.t, key))))
}

func (p *participant) sign(c claims) string {
	p.rig.t.Helper()
	payload, err := json.Marshal(c)
	p.rig.must(err)
	return compact(p.rig.t, p.key, map[string]any{"alg": p.alg, "typ": "cpm-key-update+jwt"}, payload)
}

// send has the CPM process the update.
func (p *participant) send(c claims) (*cpmv1.KeyUpdateReply, error) {
	p.rig.t.Helper()
	return p.rig.sendText(p.sign(c))
}

func (p *participant) mustSend(c claims) *cpmv1.KeyUpdateReply {
	p.rig.t.Helper()
	reply, err := p.send(c)
	p.rig.must(err)
	return reply
}

func (r *rig) sendText(jws string) (*cpmv1.KeyUpdateReply, error) {
	return r.KeyUpdate(r.t.Context(), "updates1", "request-1", &cpmv1.KeyUpdateAsk{
		Credential: &cpmv1.Credential{Address: "192.0.2.7"}, Jws: []byte(jws),
	})
}

// versions are the versions of a key, the newest first.
func (p *participant) versions(name string) []core.KeyView {
	return p.rig.Keys(cpm.FSP(p.fsp), name, true)
}

// logged gives the attributes of the log lines with an event, in order.
func (r *rig) logged(event string) []map[string]any {
	r.t.Helper()
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	var found []map[string]any
	for text := range bytes.Lines(r.log.all.Bytes()) {
		var attrs map[string]any
		r.must(json.Unmarshal(text, &attrs))
		if attrs["event"] == event {
			found = append(found, attrs)
		}
	}
	return found
}
