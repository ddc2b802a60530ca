package e2e

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/secret"
)

// ledger is what a test knows of the keys it has given to a CPM, by FSP/name.
type ledger struct {
	mu sync.Mutex
	// acknowledged are the keys whose addition was answered, with the id of the answer; doubtful are those asked for
	// without an answer.
	acknowledged map[string]entry
	doubtful     map[string]entry
	// found and absent count the doubtful ones by what became of them.
	found, absent int
}

// entry is one key.
type entry struct {
	id string
	// spki is the public key; nil is one made by the CPM.
	spki []byte
	// private says that the CPM has the private half.
	private bool
}

func newLedger() *ledger {
	return &ledger{acknowledged: map[string]entry{}, doubtful: map[string]entry{}}
}

// add asks for a key, writes down what came of it, and gives the error. A k of nil has the CPM make the key.
func (l *ledger) add(ctx context.Context, t testing.TB, p *process, a keys.Addition, k *keyPair, private bool) error {
	name, e := string(a.FSP)+"/"+a.Name, entry{private: private}
	change := core.Change{Action: "key.add", Target: name, RequestID: obs.NewRequestID()}
	switch {
	case k == nil:
		a.Generate = "ES256"
	case private:
		e.spki, change.Secret = k.spki(t), secret.Take(k.private(t))
	default:
		e.spki, a.Public = k.spki(t), k.public(t)
	}
	change.Document = marshal(t, a)
	l.write(l.doubtful, name, e)
	receipt, err := p.Admin.Apply(ctx, change)
	if err != nil {
		return err
	}
	var detail core.KeyDetail
	if err := json.Unmarshal(receipt.Detail, &detail); err != nil {
		return err
	}
	e.id = detail.ID
	l.write(l.acknowledged, name, e)
	return nil
}

func (l *ledger) write(to map[string]entry, name string, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.doubtful, name)
	to[name] = e
}

// size is how many keys were acknowledged.
func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// check holds what the CPM has against the ledger: every acknowledged key is there as it was acknowledged, a doubtful one
// is there whole or not at all and is no longer doubtful, and there is no other. It gives the number of keys.
func (l *ledger) check(t *testing.T, p *process) int {
	t.Helper()
	answer, err := p.Admin.Keys(t.Context(), "", "", true)
	must(t, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	there := map[string]bool{}
	for _, k := range answer.Keys {
		name := k.FSP + "/" + k.Name
		there[name] = true
		want, known := l.acknowledged[name]
		if !known {
			if want, known = l.doubtful[name]; known {
				want.id = k.ID
				l.found++
				delete(l.doubtful, name)
				l.acknowledged[name] = want
				p.prove(t, k)
			}
		}
		if !known || k.ID != want.id || want.spki != nil && !bytes.Equal(k.PublicKey, want.spki) ||
			(k.Kind == keys.KindPrivate) != want.private || k.Version != 1 || !k.Current || k.Deleted || k.State != keys.Active {
			t.Errorf("%s is there as %+v", name, k)
		}
	}
	for name := range l.acknowledged {
		if !there[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	l.absent += len(l.doubtful)
	clear(l.doubtful)
	return len(answer.Keys)
}

// proveAll shows that every private key works; with some it proves only so many.
func (l *ledger) proveAll(t *testing.T, p *process, some int) {
	t.Helper()
	answer, err := p.Admin.Keys(t.Context(), "", "", false)
	must(t, err)
	private := slices.DeleteFunc(answer.Keys, func(k core.KeyView) bool { return k.Kind != keys.KindPrivate })
	for _, k := range private[:min(some, len(private))] {
		p.prove(t, k)
	}
}

// prove shows that a private key works: the CPM signs with it, and the signature verifies with the public key.
func (p *process) prove(t *testing.T, k core.KeyView) {
	t.Helper()
	if k.Kind != keys.KindPrivate {
		return
	}
	if err := p.signs(t, k); err != nil {
		t.Errorf("%s/%s does not work: %v", k.FSP, k.Name, err)
	}
}

func (p *process) signs(t *testing.T, k core.KeyView) error {
	t.Helper()
	m := quote(k.FSP, "", 1)
	m["key"] = map[string]any{"name": k.Name}
	r := request{fsp: k.FSP, operation: "sign"}
	ask := plea{method: "POST", path: r.path(), body: marshal(t, m), header: map[string]string{"Content-Type": "application/json"}}
	got, err := ask.ask(p.At.HTTP, p.tls())
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return fmt.Errorf("status %d: %s", got.status, got.body)
	}
	var s signed
	if err := strict(got.body, &s); err != nil {
		return err
	}
	var h struct{ Signature, ProtectedHeader string }
	if err := json.Unmarshal([]byte(s.Headers["fspiop-signature"]), &h); err != nil {
		return err
	}
	value, err := base64.RawURLEncoding.DecodeString(h.Signature)
	if err != nil {
		return err
	}
	return verify(k.PublicKey, []byte(h.ProtectedHeader+"."+encode([]byte(s.Body))), value)
}

// verify judges an RS256 or ES256 signature.
func verify(spki, input, value []byte) error {
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(input)
	switch k := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], value)
	case *ecdsa.PublicKey:
		if len(value) == 64 && ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(value[:32]), new(big.Int).SetBytes(value[32:])) {
			return nil
		}
	}
	return errors.New("the signature does not verify")
}

// cut says whether a change failed because the process was killed: before it was asked, or with the answer.
func cut(err error) bool {
	return errors.Is(err, fault.OutcomeUnknown) || errors.Is(err, fault.Unavailable)
}

// keyName makes the name of a key of no FSP else.
func keyName(parts ...int) string {
	return "key-" + strings.Trim(strings.ReplaceAll(fmt.Sprint(parts), " ", "-"), "[]")
}

// addition is a signature key of payerfsp.
func addition(name string) keys.Addition {
	return keys.Addition{FSP: "payerfsp", Name: name, Use: cpm.UseSignature}
}
