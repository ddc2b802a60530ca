package ssm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

func newILPModule(t *testing.T) *Module {
	t.Helper()
	m := New(Config{Mandated: []cpm.Operation{cpm.ILPFulfil, cpm.ILPVerify, cpm.ILPDecode}, HeavyWorkers: 1, Now: time.Now})
	t.Cleanup(func() { _ = m.Shutdown(context.WithoutCancel(t.Context())) })
	return m
}

func holdILP(t *testing.T, m *Module, number byte, use cpm.KeyUse, text string) cpm.KeyRef {
	t.Helper()
	ref := cpm.KeyRef{ID: cpm.KeyID{number}, Name: "ilp", Version: uint32(number)}
	if err := m.Put(t.Context(), cpm.Material{Ref: ref, Algorithm: "HS256", Use: use, Private: secret.Take([]byte(text))}); err != nil {
		t.Fatal(err)
	}
	return ref
}

func doILP(t *testing.T, m *Module, o cpm.Operation, q proto.Message, refs ...cpm.KeyRef) (proto.Message, error) {
	t.Helper()
	r, err := m.Do(t.Context(), &cpm.Request{FSP: "payeefsp", Operation: o, Keys: refs, Payload: cpm.Payload{Message: q}})
	if err != nil {
		return nil, err
	}
	return r.Payload.Message, nil
}

func ofTransaction(version uint32) *cpmv1.IlpFulfilRequest {
	return &cpmv1.IlpFulfilRequest{Version: version, From: &cpmv1.IlpFulfilRequest_Transaction{Transaction: ilpTransaction}}
}

func ofPacket(text string) *cpmv1.IlpFulfilRequest {
	return &cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_IlpPacket{IlpPacket: text}}
}

func TestTheConditionFindsItsSecret(t *testing.T) {
	m := newILPModule(t)
	old := holdILP(t, m, 1, cpm.UseILP, ilpSecretAnswer)
	newer := holdILP(t, m, 2, cpm.UseILP, strings.Repeat("s", 512))
	made, err := doILP(t, m, cpm.ILPFulfil, ofTransaction(0), old)
	if err != nil {
		t.Fatal(err)
	}
	first := made.(*cpmv1.IlpFulfilResponse)
	if first.GetVersion() != 1 || first.GetFulfilment() != ilpFulfilment || first.GetCondition() != ilpCondition {
		t.Errorf("%v", first)
	}
	q := ofPacket(first.GetIlpPacket())
	again, err := doILP(t, m, cpm.ILPFulfil, q, newer, old)
	if err != nil || again.(*cpmv1.IlpFulfilResponse).GetKeyVersion() != 2 {
		t.Errorf("without a condition the newest is used: %v %v", again, err)
	}
	q.Condition = ilpCondition
	again, err = doILP(t, m, cpm.ILPFulfil, q, newer, old)
	if err != nil || !proto.Equal(again, first) {
		t.Errorf("%v %v, want %v", again, err, first)
	}
	if _, err = doILP(t, m, cpm.ILPFulfil, q, newer); !errors.Is(err, fault.State) {
		t.Errorf("without the right secret: %v", err)
	}
}

func TestWhatILPDeclines(t *testing.T) {
	m := newILPModule(t)
	ref := holdILP(t, m, 1, cpm.UseILP, ilpSecretAnswer)
	made, err := doILP(t, m, cpm.ILPFulfil, ofTransaction(1), ref)
	if err != nil {
		t.Fatal(err)
	}
	packet := made.(*cpmv1.IlpFulfilResponse).GetIlpPacket()
	with := func(q *cpmv1.IlpFulfilRequest, change func(*cpmv1.IlpFulfilRequest)) *cpmv1.IlpFulfilRequest {
		change(q)
		return q
	}
	for what, c := range map[string]struct {
		operation cpm.Operation
		question  proto.Message
		want      fault.Kind
	}{
		"nothing to make a packet of": {cpm.ILPFulfil, &cpmv1.IlpFulfilRequest{}, fault.Missing},
		"an empty packet":             {cpm.ILPFulfil, ofPacket(""), fault.Missing},
		"no packet":                   {cpm.ILPFulfil, ofPacket("AQ"), fault.Invalid},
		"version 3":                   {cpm.ILPFulfil, ofTransaction(3), fault.Invalid},
		"another version than the packet's": {
			cpm.ILPFulfil, with(ofPacket(packet), func(q *cpmv1.IlpFulfilRequest) { q.Version = 4 }), fault.Invalid,
		},
		"a form that is none": {
			cpm.ILPFulfil, with(ofTransaction(1), func(q *cpmv1.IlpFulfilRequest) { q.Form = "raw" }), fault.Invalid,
		},
		"a condition that is none": {
			cpm.ILPFulfil, with(ofPacket(packet), func(q *cpmv1.IlpFulfilRequest) { q.Condition = "x" }), fault.Invalid,
		},
		"a quote without bodies": {
			cpm.ILPFulfil, &cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_Quote{}}, fault.Invalid,
		},
		"nothing to verify":       {cpm.ILPVerify, &cpmv1.IlpVerifyRequest{Fulfilment: ilpFulfilment}, fault.Missing},
		"nothing to decode":       {cpm.ILPDecode, &cpmv1.IlpDecodeRequest{}, fault.Missing},
		"a transfer that is none": {cpm.ILPDecode, &cpmv1.IlpDecodeRequest{IlpPacket: packet, Transfer: "1"}, fault.Invalid},
	} {
		_, err := doILP(t, m, c.operation, c.question, ref)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
	if _, err := doILP(t, m, cpm.ILPFulfil, ofTransaction(1), holdILP(t, m, 2, cpm.UseMAC, strings.Repeat("k", 32))); !errors.Is(err, fault.State) {
		t.Errorf("a key of another use: %v", err)
	}
	if _, err := doILP(t, m, cpm.ILPFulfil, ofTransaction(1), holdILP(t, m, 3, cpm.UseILP, strings.Repeat("k", 513))); !errors.Is(err, fault.Device) {
		t.Errorf("a secret that is too long: %v", err)
	}
}

// What is in a packet and is no transaction object is given as it stands.
func TestDecodeGivesDataOfOthers(t *testing.T) {
	m := newILPModule(t)
	answer, err := doILP(t, m, cpm.ILPDecode, &cpmv1.IlpDecodeRequest{IlpPacket: "ARAAAAAAAAAAAQNnLmECaGkA"})
	if err != nil {
		t.Fatal(err)
	}
	want := &cpmv1.IlpDecodeResponse{Version: 1, Amount: "1", Account: "g.a", Data: []byte("hi")}
	if !proto.Equal(answer, want) {
		t.Errorf("%v, want %v", answer, want)
	}
}
