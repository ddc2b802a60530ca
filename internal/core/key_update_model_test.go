package core_test

import (
	"crypto"
	"math/rand/v2"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

// modelled is what a key should be.
type modelled struct {
	version uint32
	deleted bool
	key     crypto.Signer
}

// Any sequence of updates, good and bad, leaves the keys as the simplest model of them says.
func TestRandomUpdatesAgreeWithAModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	model := map[string]*modelled{"a": {}, "b": {}}
	names := []string{"a", "b"}
	var sent []string
	for range 60 {
		name := names[random.IntN(len(names))]
		m := model[name]
		switch random.IntN(6) {
		case 0, 1:
			key := newECKey(t)
			text := p.sign(p.add(name, "sig", key))
			sent = append(sent, text)
			reply, err := r.sendText(text)
			r.must(err)
			m.version++
			m.deleted, m.key = false, key
			if reply.GetVersion() != m.version {
				t.Fatalf("version %d, the model has %d", reply.GetVersion(), m.version)
			}
		case 2:
			text := p.sign(p.base("Delete", name))
			_, err := r.sendText(text)
			switch {
			case m.version == 0:
				kind(t, err, fault.NotFound)
			case m.deleted:
				kind(t, err, fault.State)
			default:
				r.must(err)
				sent = append(sent, text)
			}
			m.deleted = true
		case 3:
			if len(sent) > 0 {
				_, err := r.sendText(sent[random.IntN(len(sent))])
				kind(t, err, fault.Conflict)
			}
		case 4:
			stranger := &participant{rig: r, fsp: "payeefsp", alg: "ES256", key: newECKey(t), seq: p.seq + 100}
			_, err := stranger.send(stranger.base("Delete", name))
			kind(t, err, fault.Unauthenticated)
		case 5:
			c := p.add(name, "sig", newECKey(t))
			c["proof"] = p.proof(c, newECKey(t))
			_, err := p.send(c)
			kind(t, err, fault.Invalid)
		}
		agrees(t, p, name, m)
	}
}

func agrees(t *testing.T, p *participant, name string, m *modelled) {
	t.Helper()
	versions := p.versions(name)
	if len(versions) != int(m.version) {
		t.Fatalf("%s has %d versions, the model %d", name, len(versions), m.version)
	}
	if m.version == 0 {
		return
	}
	if v := versions[0]; v.Deleted != m.deleted || v.Version != m.version {
		t.Fatalf("%+v, the model has %+v", v, m)
	}
	if reason := p.rig.verify("payeefsp", p.rig.signedBy(m.key)); (reason == "") == m.deleted {
		t.Fatalf("%s: %q, the model has %+v", name, reason, m)
	}
}
