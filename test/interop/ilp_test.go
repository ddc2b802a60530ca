package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/ssm"
)

// ilpSamples is how many random transactions the generations and the CPM must agree on.
const ilpSamples = 1200

// ilpCall is a call of the library's ILP object.
type ilpCall struct {
	Method string `json:"method"`
	Args   []any  `json:"args"`
}

// ilpResult is what a call gave.
type ilpResult struct {
	Value json.RawMessage
	Error string
}

// triple is what both sides make of a transaction.
type triple struct {
	IlpPacket, Condition, Fulfilment string
}

func (p *peer) ilp(t *testing.T, generation string, s *sample, calls ...ilpCall) []ilpResult {
	t.Helper()
	var answer struct{ Results []ilpResult }
	p.ask(t, map[string]any{"op": "ilp", "sdk": generation, "version": s.version, "secret": s.secret, "calls": calls}, &answer)
	if len(answer.Results) != len(calls) {
		t.Fatalf("%d results of %d calls", len(answer.Results), len(calls))
	}
	return answer.Results
}

// value wants a call to have given something.
func value[T any](t *testing.T, r ilpResult) (v T) {
	t.Helper()
	if r.Error != "" {
		t.Fatalf("the library says: %s", r.Error)
	}
	fatal(t, json.Unmarshal(r.Value, &v))
	return v
}

// ilpModule is a software module with the secrets of the samples.
type ilpModule struct {
	*ssm.Module
	t *testing.T
}

func newILPModule(t *testing.T) *ilpModule {
	m := &ilpModule{Module: ssm.New(ssm.Config{
		Mandated: []cpm.Operation{cpm.ILPFulfil, cpm.ILPVerify, cpm.ILPDecode}, HeavyWorkers: 1, Now: time.Now,
	}), t: t}
	t.Cleanup(func() { _ = m.Shutdown(context.WithoutCancel(t.Context())) })
	return m
}

func (m *ilpModule) hold(text string) {
	fatal(m.t, m.Put(m.t.Context(), cpm.Material{
		Ref: m.ref(), Algorithm: "HS256", Use: cpm.UseILP, Private: secret.Take([]byte(text)),
	}))
}

func (m *ilpModule) ref() cpm.KeyRef { return cpm.KeyRef{ID: cpm.KeyID{1}, Name: "ilp", Version: 1} }

func (m *ilpModule) do(o cpm.Operation, question proto.Message) proto.Message {
	m.t.Helper()
	r := &cpm.Request{FSP: "payeefsp", Operation: o, Payload: cpm.Payload{Message: question}}
	if o == cpm.ILPFulfil {
		r.Keys = []cpm.KeyRef{m.ref()}
	}
	result, err := m.Do(m.t.Context(), r)
	fatal(m.t, err)
	return result.Payload.Message
}

func (m *ilpModule) fulfil(q *cpmv1.IlpFulfilRequest) triple {
	m.t.Helper()
	a := m.do(cpm.ILPFulfil, q).(*cpmv1.IlpFulfilResponse)
	return triple{a.GetIlpPacket(), a.GetCondition(), a.GetFulfilment()}
}

// make has the CPM make a packet of a sample.
func (m *ilpModule) make(s *sample, form string) triple {
	m.t.Helper()
	q := &cpmv1.IlpFulfilRequest{Version: uint32(s.version), Form: form}
	quote := &cpmv1.IlpQuote{Request: s.request, Response: s.response}
	switch s.what {
	case "quote":
		q.From = &cpmv1.IlpFulfilRequest_Quote{Quote: quote}
	case "fx-quote":
		q.From = &cpmv1.IlpFulfilRequest_FxQuote{FxQuote: quote}
	default:
		q.From = &cpmv1.IlpFulfilRequest_Transaction{Transaction: s.transaction}
	}
	return m.fulfil(q)
}

// making is the call that has the library do the same.
func making(s *sample) ilpCall {
	quote := []any{json.RawMessage(s.request), json.RawMessage(s.response)}
	switch s.what {
	case "quote":
		return ilpCall{"getQuoteResponseIlp", quote}
	case "fx-quote":
		return ilpCall{"getFxQuoteResponseIlp", quote}
	}
	return ilpCall{"getResponseIlp", []any{json.RawMessage(s.transaction)}}
}

// TestILP has the CPM and each generation make packets of the same random transactions, and each work with what the other
// made.
func TestILP(t *testing.T) {
	node, m, d := startPeer(t), newILPModule(t), newDice(t)
	counts := map[string]int{}
	for i := range ilpSamples {
		s := d.sample(i)
		m.hold(s.secret)
		for _, g := range slices.Sorted(maps.Keys(generations)) {
			if g == "a" && s.version != 1 {
				continue // it knows packets of version 1 only
			}
			compareMade(t, m, node, g, &s, counts)
			theyReadOurs(t, m, node, g, &s, counts)
		}
		if s.transfer != nil {
			compareTransfers(t, m, node, d, &s, counts)
		}
		if t.Failed() {
			t.Fatalf("sample %d: %+v", i, s)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%-58s %d", what, counts[what])
	}
}

// compareMade holds what we make against what the generation makes: byte by byte, in the form of its time.
func compareMade(t *testing.T, m *ilpModule, node *peer, g string, s *sample, counts map[string]int) {
	t.Helper()
	form := map[string]string{"a": "legacy", "b": "legacy", "c": "sorted"}[g]
	theirs := value[triple](t, node.ilp(t, g, s, making(s))[0])
	decoded := weReadTheirs(t, m, node, g, s, theirs, counts)
	if g != "a" {
		equal(t, counts, fmt.Sprintf("v%d made alike by us (%s) and %s", s.version, form, g), m.make(s, form), theirs)
		return
	}
	// Generation a knows no expiration in a quote's transaction, and multiplies amounts as doubles: 1.1 USD become
	// 1,100,000,000,001 cents.
	same := *s
	same.what, same.transaction = "transaction", decoded.GetTransaction()
	ours := m.make(&same, form)
	read := m.do(cpm.ILPDecode, &cpmv1.IlpDecodeRequest{IlpPacket: ours.IlpPacket}).(*cpmv1.IlpDecodeResponse)
	if read.GetAmount() != decoded.GetAmount() {
		counts["v1 made by a with an amount it got wrong (not compared)"]++
		return
	}
	equal(t, counts, "v1 made alike by us (legacy) and a", ours, theirs)
}

// weReadTheirs gives the fulfilment of their packet, verifies theirs, and says of it what they say.
func weReadTheirs(
	t *testing.T, m *ilpModule, node *peer, g string, s *sample, theirs triple, counts map[string]int,
) *cpmv1.IlpDecodeResponse {
	t.Helper()
	again := m.fulfil(&cpmv1.IlpFulfilRequest{
		From: &cpmv1.IlpFulfilRequest_IlpPacket{IlpPacket: theirs.IlpPacket}, Condition: theirs.Condition,
	})
	equal(t, counts, fmt.Sprintf("v%d of %s fulfilled alike by us", s.version, g), again, theirs)
	for _, right := range []bool{true, false} {
		fulfilment := theirs.Fulfilment
		if !right {
			fulfilment = theirs.Condition
		}
		v := m.do(cpm.ILPVerify, &cpmv1.IlpVerifyRequest{Fulfilment: fulfilment, Condition: theirs.Condition})
		equal(t, counts, fmt.Sprintf("fulfilments of %s verified by us, %v", g, right), v.(*cpmv1.IlpVerifyResponse).GetValid(), right)
	}
	decoded := m.do(cpm.ILPDecode, &cpmv1.IlpDecodeRequest{IlpPacket: theirs.IlpPacket}).(*cpmv1.IlpDecodeResponse)
	results := node.ilp(t, g, s, ilpCall{"decodeIlpPacket", []any{theirs.IlpPacket}}, ilpCall{"getTransactionObject", []any{theirs.IlpPacket}})
	read := value[struct{ Amount, Account, Destination, ExpiresAt, ExecutionCondition string }](t, results[0])
	equal(t, counts, "packets of "+g+" read alike by us",
		[]string{decoded.GetAmount(), decoded.GetAccount(), decoded.GetExpiresAt(), decoded.GetCondition()},
		[]string{read.Amount, read.Account + read.Destination, read.ExpiresAt, read.ExecutionCondition})
	var ours any
	fatal(t, json.Unmarshal([]byte(decoded.GetTransaction()), &ours))
	equal(t, counts, "transaction objects of "+g+" read alike by us", ours, value[any](t, results[1]))
	return decoded
}

// theyReadOurs has the generation compute the fulfilment of our packet, validate it, and read the packet.
func theyReadOurs(t *testing.T, m *ilpModule, node *peer, g string, s *sample, counts map[string]int) {
	t.Helper()
	ours := m.make(s, "")
	results := node.ilp(t, g, s,
		ilpCall{"validateFulfil", []any{ours.Fulfilment, ours.Condition}},
		ilpCall{"validateFulfil", []any{ours.Condition, ours.Condition}},
		ilpCall{"calculateFulfil", []any{ours.IlpPacket}},
		ilpCall{"calculateConditionFromFulfil", []any{ours.Fulfilment}},
		ilpCall{"getTransactionObject", []any{ours.IlpPacket}},
	)
	equal(t, counts, "our fulfilments validated by "+g, value[bool](t, results[0]), true)
	equal(t, counts, "fulfilments that do not fit refused by "+g, value[bool](t, results[1]), false)
	equal(t, counts, fmt.Sprintf("our v%d packets fulfilled alike by %s", s.version, g), value[string](t, results[2]), ours.Fulfilment)
	equal(t, counts, "our fulfilments hashed alike by "+g, value[string](t, results[3]), ours.Condition)
	var transaction any
	decoded := m.do(cpm.ILPDecode, &cpmv1.IlpDecodeRequest{IlpPacket: ours.IlpPacket}).(*cpmv1.IlpDecodeResponse)
	fatal(t, json.Unmarshal([]byte(decoded.GetTransaction()), &transaction))
	equal(t, counts, "our transaction objects read alike by "+g, value[any](t, results[4]), transaction)
}

// compareTransfers asks both whether a transfer agrees with our packet: one that does, and some with something changed.
func compareTransfers(t *testing.T, m *ilpModule, node *peer, d dice, s *sample, counts map[string]int) {
	t.Helper()
	packet := m.make(s, "").IlpPacket
	s.transfer["ilpPacket"] = packet
	changes := []string{"", "payerFsp", "payeeFsp", "currency", "amount"}
	var transfers []map[string]any
	var calls []ilpCall
	for _, change := range changes {
		transfer := changed(s.transfer, change, d)
		transfers = append(transfers, transfer)
		calls = append(calls, ilpCall{"validateIlpAgainstTransferRequest", []any{transfer}})
	}
	for i, result := range node.ilp(t, "c", s, calls...) {
		text, err := json.Marshal(transfers[i])
		fatal(t, err)
		answer := m.do(cpm.ILPDecode, &cpmv1.IlpDecodeRequest{IlpPacket: packet, Transfer: string(text)}).(*cpmv1.IlpDecodeResponse)
		theirs := value[bool](t, result)
		equal(t, counts, fmt.Sprintf("transfers judged alike by us and c, %v", theirs), answer.GetAgrees(), theirs)
		reason := strings.Replace(strings.ToLower(changes[i]), "fsp", "-fsp", 1)
		equal(t, counts, "reasons for that", answer.GetReason(), reason)
	}
}

// changed is a copy of a transfer with one member changed.
func changed(transfer map[string]any, member string, d dice) map[string]any {
	out := maps.Clone(transfer)
	amount := maps.Clone(transfer["amount"].(map[string]any))
	switch member {
	case "payerFsp", "payeeFsp":
		out[member] = d.name() + "x" + d.name() + d.name()
	case "currency":
		amount[member] = "XXX"
	case "amount":
		amount[member] = amount[member].(string) + "0"
	}
	out["amount"] = amount
	return out
}

func equal(t *testing.T, counts map[string]int, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", what, diff)
		return
	}
	counts[what]++
}
