package fspiop

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/canon"
)

// FuzzILPPacket reads any text. What is read has one encoding, gives a fulfilment, and can be compared with any transfer.
func FuzzILPPacket(f *testing.F) {
	_, answers := knownILP(f)
	for _, a := range answers {
		f.Add(a.IlpPacket, `{"ilpPacket":"`+a.IlpPacket+`","condition":"`+a.Condition+`"}`)
	}
	for _, octets := range []string{
		"\x01\x00", "\x01\x0b\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00", "\x01\x81\x80", "\x0c\x82\x00\x80", "\x0c\x84\xff\xff\xff\xff",
		"\x01\x80", "\x01\x8b\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00", "\x0d\x00", "",
	} {
		f.Add(base64url.EncodeToString([]byte(octets)), `{"payerFsp":"a","payeeFsp":"b","amount":{"currency":"USD","amount":"1"}}`)
	}
	f.Add("AQsAAAAAAAAAAQAAAA==", "[]")
	f.Fuzz(func(t *testing.T, text, transfer string) {
		p, err := DecodeILPPacket(text)
		if err != nil {
			return
		}
		if again := p.Encode(); again != strings.TrimRight(text, "=") {
			t.Fatalf("%q is written %q", text, again)
		}
		if reason, err := ILPDisagreement(text, p, []byte(transfer)); err == nil && reason == "" {
			if _, ok := p.Transaction(); !ok {
				t.Errorf("%q agrees with a packet that has no transaction", transfer)
			}
		}
		o, err := ReceivedILPOffer(text)
		if err != nil {
			return
		}
		if a := answerOf(t, o, ILPDeployed, "s"); a.Packet != text || VerifyILP(a.Fulfilment, a.Condition) != "" {
			t.Errorf("%q: %+v", text, a)
		}
	})
}

// FuzzILPTransaction makes packets of any transaction object and reads them again.
func FuzzILPTransaction(f *testing.F) {
	_, answers := knownILP(f)
	for _, a := range answers {
		if a.Transaction != "" {
			f.Add(a.Transaction)
		}
		f.Add(string(must(must(DecodeILPPacket(a.IlpPacket)).transaction())))
	}
	for _, amount := range []string{`"1.10"`, `1.5`, `"18446744073709551616"`, `"0.001"`, `"-1"`, `"1e3"`, `null`} {
		f.Add(`{"amount":{"currency":"USD","amount":` + amount + `},"payee":{"partyIdInfo":{"partyIdType":"A","partyIdentifier":"1"}}}`)
	}
	f.Add(`{"conversionTerms":{"expiration":"2026-11-22T08:00:00.123456789-23:59"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, form := range []Form{FormSorted, FormLegacy} {
			tx, err := NewILPTransaction([]byte(text), form)
			if err != nil {
				continue
			}
			checkAmount(t, tx)
			for _, version := range []int{ILPv1, ILPv4} {
				if o, err := NewILPOffer(version, tx); err == nil {
					checkMade(t, text, tx, answerOf(t, o, ILPDeployed, "s"))
				}
			}
		}
	})
}

// checkAmount holds the amount against exact arithmetic.
func checkAmount(t *testing.T, tx *ILPTransaction) {
	t.Helper()
	if tx.terms != nil {
		return
	}
	money, _ := membersOf(string(tx.text))["amount"].(map[string]any)
	currency, _ := money["currency"].(string)
	text, isText := money["amount"].(string)
	decimals, known := currencyDecimals(currency)
	amount, read := new(big.Rat).SetString(text)
	if !isText || !known || !read {
		return
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	amount.Mul(amount, new(big.Rat).SetInt(scale))
	if !amount.IsInt() || amount.Num().Cmp(new(big.Int).SetUint64(tx.amount)) != 0 {
		t.Errorf("%s: %d", tx.text, tx.amount)
	}
}

// checkMade reads a packet that was made.
func checkMade(t *testing.T, text string, tx *ILPTransaction, a *ILPAnswer) {
	t.Helper()
	p, err := DecodeILPPacket(a.Packet)
	if err != nil {
		t.Fatalf("a packet of %q cannot be read: %v", text, err)
	}
	got, ok := p.Transaction()
	if !ok || string(got) != string(tx.text) || p.Amount != tx.amount || p.Version != a.Version {
		t.Errorf("%q: %+v with %q", text, p, got)
	}
	again := answerOf(t, must(ReceivedILPOffer(a.Packet)), ILPDeployed, "s")
	if diff := cmp.Diff(a, again); diff != "" {
		t.Errorf("%q (-made +received)\n%s", text, diff)
	}
	var before, after any
	must(0, json.Unmarshal([]byte(text), &before))
	must(0, json.Unmarshal(got, &after))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("%q means another thing in the packet:\n%s", text, diff)
	}
}

// FuzzILPQuote makes transaction objects of any two bodies; encoding/json picks the members independently.
func FuzzILPQuote(f *testing.F) {
	_, answers := knownILP(f)
	for _, a := range answers {
		if a.Quote != nil {
			f.Add(a.Quote.Request, a.Quote.Response)
		}
		if a.FxQuote != nil {
			f.Add(a.FxQuote.Request, a.FxQuote.Response)
		}
	}
	f.Add(`{"quoteId":null,"payee":1,"\u0070ayer":{}}`, `{"transferAmount":{"currency":"USD","amount":"1"},"note":0}`)
	f.Add(`{"":1e911}`, `{"transferAmount":{"currency":"USD","amount":"1"},"note":8}`)
	f.Add(`{}`, `{"transferAmount":{"currency":"XOF","amount":1},"conversionTerms":{},"note":"\u0000"}`)
	f.Fuzz(func(t *testing.T, request, response string) {
		if tx, err := QuotedILPTransaction([]byte(request), []byte(response), FormSorted); err == nil {
			asked, answered := membersOf(request), membersOf(response)
			want := map[string]any{"amount": answered["transferAmount"]}
			for name, from := range map[string]map[string]any{
				"quoteId": asked, "transactionId": asked, "transactionType": asked, "payee": asked, "payer": asked, "expiration": answered,
			} {
				if v, ok := from[name]; ok {
					want[name] = v
				}
			}
			if note, ok := answered["note"]; ok && note != nil && note != "" && note != false && note != 0.0 {
				want["note"] = note
			}
			if diff := cmp.Diff(want, membersOf(string(tx.Text()))); diff != "" {
				t.Errorf("%q %q (-encoding/json +ours)\n%s", request, response, diff)
			}
		}
		if tx, err := QuotedILPConversion([]byte(request), []byte(response), FormLegacy); err == nil {
			want := map[string]any{"conversionTerms": membersOf(response)["conversionTerms"]}
			if id, ok := membersOf(request)["conversionRequestId"]; ok {
				want["conversionRequestId"] = id
			}
			if diff := cmp.Diff(want, membersOf(string(tx.Text()))); diff != "" {
				t.Errorf("conversion %q %q (-encoding/json +ours)\n%s", request, response, diff)
			}
		}
	})
}

// membersOf is an object as encoding/json reads it. A member with a number that is too large for it is an error there; nobody may pick
// it.
func membersOf(text string) map[string]any {
	var raw map[string]json.RawMessage
	must(0, json.Unmarshal([]byte(text), &raw))
	if doc := must(canon.Parse([]byte(text))); !doc.IsObject() {
		return nil
	}
	members := map[string]any{}
	for name, one := range raw {
		var value any
		if err := json.Unmarshal(one, &value); err != nil {
			value = err
		}
		members[name] = value
	}
	return members
}
