package core_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// The bodies of a quote, and what release 19.19.1 of Mojaloop's library makes of them with its default secret.
const (
	ilpRequest  = `{"quoteId":"q1","transactionId":"t1","payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"1","fspId":"payeefsp"}}}`
	ilpResponse = `{"transferAmount":{"currency":"USD","amount":"100"},"expiration":"2026-11-22T08:00:00.000Z"}`
	ilpSecret   = "mojaloop-sdk"
)

// withILP lets the adapter and the caller do the operations of ILP.
func withILP(d *core.Document) {
	d.Adapters[0].Operations = append(d.Adapters[0].Operations, cpm.ILPFulfil, cpm.ILPVerify, cpm.ILPDecode)
	d.Grants = append(d.Grants, core.GrantEntry{Principal: caller.String(), FSP: "payeefsp", Operations: []string{string(cpm.ILPFulfil)}})
}

func (r *rig) fulfil(q *cpmv1.IlpFulfilRequest) (*cpmv1.IlpFulfilResponse, error) {
	res, err := r.Process(r.t.Context(), r.request("payeefsp", cpm.ILPFulfil, q))
	if err != nil {
		return nil, err
	}
	return res.Payload.Message.(*cpmv1.IlpFulfilResponse), nil
}

func ilpQuote(version uint32) *cpmv1.IlpFulfilRequest {
	return &cpmv1.IlpFulfilRequest{Version: version, From: &cpmv1.IlpFulfilRequest_Quote{
		Quote: &cpmv1.IlpQuote{Request: ilpRequest, Response: ilpResponse},
	}}
}

func packet(text string) *cpmv1.IlpFulfilRequest {
	return &cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_IlpPacket{IlpPacket: text}}
}

// A quote is answered under the current secret. The transfer that comes after the secret was changed is fulfilled under the one
// of then, which the condition tells, or the caller by its version.
func TestAQuoteStaysFulfillableWhenItsSecretIsSuperseded(t *testing.T) {
	t.Parallel()
	r := running(t, withILP)
	ilp := keys.Addition{FSP: "payeefsp", Name: "ilp", Use: cpm.UseILP, Algorithm: "HS256", Symmetric: true}
	r.must(r.addSecretKey(ilp, ilpSecret))
	answered := map[uint32]*cpmv1.IlpFulfilResponse{}
	for _, version := range []uint32{1, 4} {
		var err error
		answered[version], err = r.fulfil(ilpQuote(version))
		r.must(err)
	}
	r.mustChange("key.update", "", keys.Addition{FSP: "payeefsp", Name: "ilp", Use: cpm.UseILP, Generate: "HS256"})
	r.addKey(keys.Addition{FSP: "payeefsp", Name: "other", Use: cpm.UseILP, Generate: "HS256"})
	for version, want := range answered {
		now, err := r.fulfil(ilpQuote(version))
		r.must(err)
		if now.GetKeyVersion() != 2 || now.GetKey().GetName() != "ilp" || now.GetFulfilment() == want.GetFulfilment() {
			t.Errorf("version %d: a new quote is answered with %v", version, now.GetKey())
		}
		same := func(what string, q *cpmv1.IlpFulfilRequest) {
			t.Helper()
			got, err := r.fulfil(q)
			r.must(err)
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("version %d, %s: (-answered +fulfilled)\n%s", version, what, diff)
			}
		}
		q := packet(want.GetIlpPacket())
		q.Condition = want.GetCondition()
		same("by the condition of the transfer", q)
		q = ilpQuote(version)
		q.Condition = want.GetCondition()
		same("of the quote, by the condition", q)
		q = ilpQuote(version)
		q.Key = &cpmv1.KeySelector{Name: "ilp", Version: 1}
		same("of the quote, by the version", q)
		q = packet(want.GetIlpPacket())
		q.Key = &cpmv1.KeySelector{Name: "ilp", Version: 1}
		same("of the packet, by the version", q)
		q = packet(want.GetIlpPacket())
		q.Condition = now.GetCondition()
		q.Key = &cpmv1.KeySelector{Name: "ilp", Version: 1}
		_, err = r.fulfil(q)
		kind(t, err, map[uint32]fault.Kind{1: fault.State, 4: fault.Invalid}[version])
	}
	got, err := r.fulfil(packet(answered[4].GetIlpPacket()))
	r.must(err)
	if diff := cmp.Diff(answered[4], got, protocmp.Transform()); diff != "" {
		t.Errorf("by the condition inside the packet:\n%s", diff)
	}
	r.mustChange("key.destroy", "", keys.Which{FSP: "payeefsp", Name: "ilp", Version: 1})
	_, err = r.fulfil(packet(answered[4].GetIlpPacket()))
	kind(t, err, fault.State)
}

func TestOnlyASecretInForceAnswersQuotes(t *testing.T) {
	t.Parallel()
	r := running(t, withILP)
	_, err := r.fulfil(ilpQuote(1))
	kind(t, err, fault.NotFound)
	r.addKey(keys.Addition{FSP: "payeefsp", Name: "ilp", Use: cpm.UseILP, Generate: "HS256"})
	answer, err := r.fulfil(ilpQuote(4))
	r.must(err)
	which := keys.Which{FSP: "payeefsp", Name: "ilp"}
	r.mustChange("key.deactivate", "", which)
	_, err = r.fulfil(ilpQuote(4))
	kind(t, err, fault.State)
	again, err := r.fulfil(packet(answer.GetIlpPacket())) // what was answered before is still fulfilled
	r.must(err)
	if again.GetFulfilment() != answer.GetFulfilment() {
		t.Error("fulfilled otherwise")
	}
	r.mustChange("key.compromise", "", which)
	_, err = r.fulfil(packet(answer.GetIlpPacket()))
	kind(t, err, fault.State)
}

func TestTheTextbookIsReadWhereThePolicySaysSo(t *testing.T) {
	t.Parallel()
	r := running(t, withILP)
	r.must(r.addSecretKey(keys.Addition{FSP: "payeefsp", Name: "ilp", Use: cpm.UseILP, Symmetric: true}, ilpSecret))
	deployed, err := r.fulfil(ilpQuote(1))
	r.must(err)
	r.mustChange("fsp.set", "payeefsp", core.FSPDocument{Policy: core.Policy{TextbookILP: true}})
	textbook, err := r.fulfil(ilpQuote(1))
	r.must(err)
	if textbook.GetIlpPacket() != deployed.GetIlpPacket() || textbook.GetFulfilment() == deployed.GetFulfilment() {
		t.Errorf("%v, then %v", deployed, textbook)
	}
	_, err = r.fulfil(ilpQuote(4))
	kind(t, err, fault.Unsupported)
}
