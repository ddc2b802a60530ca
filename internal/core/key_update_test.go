package core_test

import (
	"crypto"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/spec"
)

// signedBy is a message that payeefsp signs at its own end.
func (r *rig) signedBy(key crypto.Signer) *cpmv1.JwsSignResponse {
	r.t.Helper()
	algorithm, _ := fspiop.AlgorithmNamed(algOf(r.t, key))
	const fsp cpm.FSP = "payeefsp"
	h := headers(fsp)
	signed, err := fspiop.Sign(rand.Reader, key, algorithm, string(fsp), &fspiop.Message{Method: "POST", URI: "/quotes", Headers: h, Body: []byte(body)}, fspiop.FormRaw)
	r.must(err)
	return &cpmv1.JwsSignResponse{Headers: signed.Headers, Content: &cpmv1.JwsSignResponse_Body{Body: body}}
}

func TestAnAddedKeyVerifiesAtOnceAndADeletedOneNoMore(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	first, second := newECKey(t), newEdKey(t)
	before := r.now().Add(-time.Second)

	reply := p.mustSend(p.add("jws", "sig", first))
	if diff := cmp.Diff([]any{"success", "payeefsp", "jws", uint32(1)}, []any{reply.GetResult(), reply.GetFsp(), reply.GetName(), reply.GetVersion()}); diff != "" {
		t.Error(diff)
	}
	if reason := r.verify("payeefsp", r.signedBy(first)); reason != "" {
		t.Errorf("the added key does not verify: %s", reason)
	}
	v := p.versions("jws")[0]
	if v.CreatedBy != "fsp:payeefsp" || v.UpdatedBy != "fsp:payeefsp" || v.Created.Before(before) || v.State != "Active" {
		t.Errorf("%+v", v)
	}

	if reply = p.mustSend(p.add("jws", "sig", second, claims{"action": "Update"})); reply.GetVersion() != 2 {
		t.Error(reply)
	}
	all := p.versions("jws")
	if len(all) != 2 || !strings.HasPrefix(all[1].Backup, "jws_v1_20") || all[1].UpdatedBy != "fsp:payeefsp" {
		t.Errorf("no backup: %+v", all)
	}

	p.mustSend(p.base("Delete", "jws"))
	if reason := r.verify("payeefsp", r.signedBy(first)); reason != "key-not-usable" {
		t.Errorf("a deleted key verifies: %q", reason)
	}
	if v := p.versions("jws")[0]; !v.Deleted || v.UpdatedBy != "fsp:payeefsp" || v.Updated.Before(before) {
		t.Errorf("%+v", v)
	}
	_, err := p.send(p.base("Delete", "jws"))
	kind(t, err, fault.State)

	third := newECKey(t)
	if reply = p.mustSend(p.add("jws", "sig", third)); reply.GetVersion() != 3 {
		t.Error(reply)
	}
	if v := p.versions("jws")[0]; v.Deleted || r.verify("payeefsp", r.signedBy(third)) != "" {
		t.Errorf("a new Add does not revive the key: %+v", v)
	}

	for event, want := range map[string]int{"key.added": 3, "key.updated": 2, "key.deleted": 1, "key.update-refused": 1} { // the rig and enrol added one each
		if lines := r.logged(event); len(lines) != want {
			t.Errorf("%s was logged %d times: %v", event, len(lines), lines)
		}
	}
	if l := r.logged("key.deleted")[0]; l["fspId"] != "payeefsp" || l["kid"] != "jws" || l["actor"] != "fsp:payeefsp" || l["address"] != "192.0.2.7" {
		t.Errorf("%v", l)
	}
	want := []core.UpdateCount{
		{FSP: "payeefsp", Action: "Add", Outcomes: cpm.Outcomes{Success: 2}},
		{FSP: "payeefsp", Action: "Delete", Outcomes: cpm.Outcomes{Success: 1, Failed: 1}},
		{FSP: "payeefsp", Action: "Update", Outcomes: cpm.Outcomes{Success: 1}},
	}
	if diff := cmp.Diff(want, r.UpdateCounts()); diff != "" {
		t.Error(diff)
	}
	spec.Covers(t, "KEY-same", "KEY-1a", "KEY-1a-i", "KEY-1a-ii", "KEY-1a-iii", "KEY-1b", "KEY-2", "KEY-3", "KEY-4", "KEY-5")
}

func TestADeleteOfAKeyThatIsNotThereFails(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	_, err := p.send(p.base("Delete", "other"))
	kind(t, err, fault.NotFound)
	want := []core.UpdateCount{{FSP: "payeefsp", Action: "Delete", Outcomes: cpm.Outcomes{Failed: 1}}}
	if diff := cmp.Diff(want, r.UpdateCounts()); diff != "" {
		t.Error(diff)
	}
	if _, err := p.send(p.base("Delete", "updates")); err != nil {
		t.Errorf("an FSP may give up its own update key: %v", err)
	}
	_, err = p.send(p.base("Delete", "updates"))
	kind(t, err, fault.Unauthenticated)
}

func TestAKeyNeverChangesItsUse(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	p.mustSend(p.add("jws", "sig", newECKey(t)))
	_, err := p.send(p.add("jws", "data-sig", newECKey(t)))
	kind(t, err, fault.State)
	c := p.base("Delete", "jws")
	c["use"] = "update"
	_, err = p.send(c)
	kind(t, err, fault.State)
}

func TestAnFSPReplacesItsUpdateKey(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	fresh := newECKey(t)
	p.mustSend(p.add("updates", "update", fresh))
	_, err := p.send(p.add("jws", "sig", newECKey(t)))
	kind(t, err, fault.Unauthenticated) // no overlap: who holds the old key changes nothing any more
	p.key = fresh
	p.mustSend(p.add("jws", "sig", newECKey(t)))
}

func TestUpdatesAreTakenInOrderAndOnce(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	q := r.enrol("payerfsp", newECKey(t))
	late := p.sign(p.add("late", "sig", newECKey(t)))
	jws := p.sign(p.add("jws", "sig", newECKey(t)))
	if _, err := r.sendText(jws); err != nil {
		t.Fatal(err)
	}
	refused := func(text, reason string) {
		t.Helper()
		_, err := r.sendText(text)
		kind(t, err, fault.Conflict)
		lines := r.logged("key.update-refused")
		if l := lines[len(lines)-1]; l["outcome"] != reason || l["fspId"] != "payeefsp" {
			t.Errorf("%v", l)
		}
	}
	refused(jws, "update-replayed")
	refused(late, "update-out-of-order")
	q.mustSend(q.add("jws2", "sig", newECKey(t))) // each FSP counts for itself

	r.stop()
	r.start(strings.TrimSuffix(r.path, "/cpm.db"))
	r.must(r.Load(t.Context()))
	r.must(r.Activate(t.Context()))
	refused(jws, "update-replayed")
	refused(late, "update-out-of-order")
	if n := len(p.versions("")); n != 2 {
		t.Errorf("%d versions", n)
	}
}

// A refused update takes nothing with it: its seq can be used again.
func TestARefusedUpdateDoesNotCount(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	p.seq = 41
	_, err := p.send(p.base("Delete", "nothing"))
	kind(t, err, fault.NotFound)
	p.seq = 41
	p.mustSend(p.add("jws", "sig", newECKey(t)))
}

func TestASuspendedFSPChangesNothing(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	r.mustChange("fsp.suspend", "payeefsp", nil)
	_, err := p.send(p.add("jws", "sig", newECKey(t)))
	kind(t, err, fault.State)
	r.mustChange("fsp.resume", "payeefsp", nil)
	p.mustSend(p.add("jws", "sig", newECKey(t)))
}

func TestUpdatesAreDeclinedUnlessTheCPMIsActive(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	r.BeginShutdown(t.Context())
	_, err := p.send(p.add("jws", "sig", newECKey(t)))
	kind(t, err, fault.Unavailable)
}

func TestNobodyAsksForAKeyUpdateButAnFSPBySigning(t *testing.T) {
	t.Parallel()
	r := running(t)
	for _, who := range []cpm.Principal{operator, {Kind: cpm.PrincipalFSP, Name: "payeefsp"}, caller} {
		_, err := r.Apply(t.Context(), who, core.Change{Action: "key-update", Target: "payeefsp/jws", Document: []byte(`{}`)})
		kind(t, err, fault.Denied)
	}
	_, err := r.Apply(t.Context(), cpm.Principal{Kind: cpm.PrincipalFSP, Name: "payeefsp"}, core.Change{
		Action: "key.delete", Document: []byte(`{"fsp":"payeefsp","name":"jws"}`),
	})
	kind(t, err, fault.Denied)
	for _, a := range core.Actions() {
		if a == "key-update" {
			t.Error("key-update is offered")
		}
	}
}

// An update is tried with the three newest update keys and no more.
func TestAtMostThreeUpdateKeysAreTried(t *testing.T) {
	t.Parallel()
	r := running(t)
	p := r.enrol("payeefsp", newECKey(t))
	for _, name := range []string{"second", "third", "fourth"} {
		_, err := p.send(p.base("Delete", "none"))
		kind(t, err, fault.NotFound) // it was tried, and verified
		r.pass(time.Second)
		r.addKey(keys.Addition{FSP: "payeefsp", Name: name, Use: cpm.UseUpdate, Public: publicPEM(t, newECKey(t))})
	}
	_, err := p.send(p.base("Delete", "none"))
	kind(t, err, fault.Unauthenticated)
}
