package core_test

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
)

// recorder is a module whose keys live elsewhere. It answers everything, and remembers the keys it was told to use.
type recorder struct {
	mu   sync.Mutex
	keys []cpm.KeyRef
}

func (m *recorder) Do(_ context.Context, r *cpm.Request) (*cpm.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = r.Keys
	for _, row := range cpm.Operations() {
		if row.Operation == r.Operation {
			return &cpm.Result{Payload: cpm.Payload{Message: row.NewResponse()}}, nil
		}
	}
	return nil, fmt.Errorf("no such operation: %s", r.Operation)
}

func (*recorder) Status(context.Context) (cpm.Status, error) {
	return cpm.Status{State: cpm.Active}, nil
}

// used are the keys of the last operation; asking forgets them.
func (m *recorder) used() []cpm.KeyRef {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() { m.keys = nil }()
	return m.keys
}

// everything lets the caller do every operation for the FSPs, at an adapter that does them all.
func everything(fsps ...string) func(*core.Document) {
	return func(d *core.Document) {
		var byName []string
		d.Adapters[0].Operations = nil
		for _, row := range cpm.Operations() {
			if !row.Planned {
				d.Adapters[0].Operations = append(d.Adapters[0].Operations, row.Operation)
			}
			if row.ByName() {
				byName = append(byName, string(row.Operation))
			}
		}
		for _, f := range fsps {
			if f != "payerfsp" && f != "payeefsp" {
				d.FSPs = append(d.FSPs, core.FSPEntry{Name: f})
			}
			d.Grants = append(d.Grants, core.GrantEntry{Principal: caller.String(), FSP: f, Operations: byName})
		}
	}
}

// One FSP for each use and kind of key has a key of that use and kind only. Of all operations, those of the use whose half of a
// key the kind has are given it, and no others.
func TestAnOperationUsesKeysOfItsOwnUseAndKindOnly(t *testing.T) {
	t.Parallel()
	type sort struct {
		fsp       cpm.FSP
		use       cpm.KeyUse
		kind      string
		algorithm string
	}
	var sorts []sort
	var fsps []string
	for use, algorithms := range map[cpm.KeyUse][2]string{ // for a key pair, and for a secret key
		cpm.UseSignature: {"ES256"}, cpm.UseUpdate: {"ES256"}, cpm.UseDataSignature: {"EdDSA"}, cpm.UseEncryption: {keys.RSAOAEP256},
		cpm.UseDataEncryption: {keys.HPKE3, "A128GCM"}, cpm.UseWrap: {keys.RSAOAEP256, "A128KW"}, cpm.UseMAC: {"", "HS256"}, cpm.UseILP: {"", "HS256"},
	} {
		for kind, algorithm := range map[string]string{
			keys.KindPrivate: algorithms[0], keys.KindPublic: algorithms[0], keys.KindSecret: algorithms[1],
		} {
			if algorithm != "" {
				fsps = append(fsps, string(use)+"-"+kind)
				sorts = append(sorts, sort{cpm.FSP(string(use) + "-" + kind), use, kind, algorithm})
			}
		}
	}
	r := newRig(t)
	module := &recorder{}
	r.open["ssm1"] = func() (cpm.Module, error) { return module, nil }
	r.ready(everything(fsps...))
	for _, s := range sorts {
		addition := keys.Addition{FSP: s.fsp, Name: "k", Use: s.use, Generate: s.algorithm}
		if s.kind == keys.KindPublic {
			addition.Generate, addition.Algorithm = "", s.algorithm
			addition.Public = r.publicOf(keys.Addition{FSP: "payeefsp", Name: string(s.fsp), Use: s.use, Generate: s.algorithm})
		}
		r.addKey(addition)
	}
	works := 0
	for _, s := range sorts {
		held := r.Keys(s.fsp, "k", false)[0]
		for _, row := range cpm.Operations() {
			if row.Planned {
				continue
			}
			_, err := r.Process(t.Context(), r.request(s.fsp, row.Operation, messageFor(t, row, held)))
			used := module.used()
			want := row.Use == s.use && (row.Half == cpm.EitherHalf ||
				row.Half == cpm.PrivateHalf && s.kind != keys.KindPublic || row.Half == cpm.PublicHalf && s.kind != keys.KindSecret)
			switch {
			case want && (err != nil || len(used) == 0 || used[0].ID.String() != held.ID):
				t.Errorf("%s with a %s key of use %s: keys %v, %v", row.Operation, s.kind, s.use, used, err)
			case !want && len(used) != 0:
				t.Errorf("%s was done with a %s key of use %s", row.Operation, s.kind, s.use)
			case !want && err == nil && row.Half != cpm.NoKey && row.Half != cpm.PublicHalf:
				t.Errorf("%s was done without a key", row.Operation)
			case want:
				works++
			}
		}
	}
	if works < 20 {
		t.Errorf("only %d combinations work", works)
	}
}

// messageFor is an operation's empty message; one that is about a ciphertext names the key.
func messageFor(t *testing.T, row cpm.Row, k core.KeyView) proto.Message {
	t.Helper()
	id, err := hex.DecodeString(k.ID)
	if err != nil {
		t.Fatal(err)
	}
	m := row.NewRequest()
	switch m := m.(type) {
	case *cpmv1.DecryptRequest:
		m.Ciphertext = cpm.NewCiphertext(cpm.KeyID(id), 0)
	case *cpmv1.RewrapRequest:
		m.Ciphertext = cpm.NewCiphertext(cpm.KeyID(id), 0)
	}
	return m
}

// publicOf adds a key and gives its public half.
func (r *rig) publicOf(a keys.Addition) string {
	r.t.Helper()
	r.addKey(a)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: r.Keys(a.FSP, a.Name, false)[0].PublicKey}))
}
