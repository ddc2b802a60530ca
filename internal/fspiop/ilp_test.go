package fspiop

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

// ilpAnswers are what three releases of Mojaloop's library answered, with the secret of its default configuration.
//
//go:embed testdata/ilp.json
var ilpAnswers []byte

type quoteText struct{ Request, Response string }

type ilpAnswer struct {
	Release                          string
	Version                          int
	Quote, FxQuote                   *quoteText
	Transaction                      string
	IlpPacket, Condition, Fulfilment string
}

func knownILP(t testing.TB) (secret string, answers []ilpAnswer) {
	t.Helper()
	var known struct {
		Secret  string
		Answers []ilpAnswer
	}
	must(0, json.Unmarshal(ilpAnswers, &known))
	if len(known.Answers) != 14 {
		t.Fatalf("%d known answers", len(known.Answers))
	}
	return known.Secret, known.Answers
}

// transactionOf reads the question of a known answer, in the form of its release.
func (a *ilpAnswer) transactionOf() (*ILPTransaction, error) {
	form := FormLegacy
	if a.Release == "19.19.1" {
		form = FormSorted
	}
	switch {
	case a.Quote != nil:
		return QuotedILPTransaction([]byte(a.Quote.Request), []byte(a.Quote.Response), form)
	case a.FxQuote != nil:
		return QuotedILPConversion([]byte(a.FxQuote.Request), []byte(a.FxQuote.Response), form)
	}
	return NewILPTransaction([]byte(a.Transaction), form)
}

func answerOf(t testing.TB, o *ILPOffer, reading ILPReading, secret string) *ILPAnswer {
	t.Helper()
	mac := hmac.New(sha256.New, ILPKey(reading, []byte(secret)))
	mac.Write(must(o.Input(reading)))
	return o.Answer(mac.Sum(nil))
}

func TestILPGivesTheAnswersOfTheLibrary(t *testing.T) {
	t.Parallel()
	secret, answers := knownILP(t)
	for _, a := range answers {
		want := &ILPAnswer{a.IlpPacket, a.Condition, a.Fulfilment, a.Version}
		made := must(NewILPOffer(a.Version, must(a.transactionOf())))
		if diff := cmp.Diff(want, answerOf(t, made, ILPDeployed, secret)); diff != "" {
			t.Errorf("%s, version %d, made (-library +ours):\n%s", a.Release, a.Version, diff)
		}
		received := must(ReceivedILPOffer(a.IlpPacket))
		if diff := cmp.Diff(want, answerOf(t, received, ILPDeployed, secret)); diff != "" {
			t.Errorf("%s, version %d, received (-library +ours):\n%s", a.Release, a.Version, diff)
		}
		if reason := VerifyILP(a.Fulfilment, a.Condition); reason != "" {
			t.Errorf("%s: %s", a.Release, reason)
		}
		if inside, ok := received.Condition(); ok != (a.Version == ILPv4) || ok && base64url.EncodeToString(inside) != a.Condition {
			t.Errorf("%s, version %d: condition inside: %x %v", a.Release, a.Version, inside, ok)
		}
	}
}

// The API Definition's words: HMAC-SHA-256 over the packet with the secret.
func TestILPReadsTheTextbookToo(t *testing.T) {
	t.Parallel()
	secret, answers := knownILP(t)
	for _, a := range answers {
		o := must(ReceivedILPOffer(a.IlpPacket))
		if a.Version == ILPv4 {
			if _, err := o.Input(ILPTextbook); !errors.Is(err, fault.Unsupported) {
				t.Errorf("version 4 by the text-book: %v", err)
			}
			continue
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(must(base64.RawURLEncoding.DecodeString(a.IlpPacket)))
		preimage := mac.Sum(nil)
		sum := sha256.Sum256(preimage)
		want := &ILPAnswer{
			a.IlpPacket, base64.RawURLEncoding.EncodeToString(sum[:]), base64.RawURLEncoding.EncodeToString(preimage), ILPv1,
		}
		if diff := cmp.Diff(want, answerOf(t, o, ILPTextbook, secret)); diff != "" {
			t.Errorf("%s (-text-book +ours):\n%s", a.Release, diff)
		}
	}
}

// A key longer than a block of the hash is hashed beforehand, which must change nothing.
func TestALongILPSecretGivesTheSameFulfilment(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 48, 49, 64, 65, 512} {
		secret := strings.Repeat("s", n)
		for reading, key := range map[ILPReading]string{
			ILPDeployed: base64.StdEncoding.EncodeToString([]byte(secret)), ILPTextbook: secret,
		} {
			got, want := hmac.New(sha256.New, ILPKey(reading, []byte(secret))), hmac.New(sha256.New, []byte(key))
			if len(ILPKey(reading, []byte(secret))) > 64 || !hmac.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Errorf("%d bytes, reading %d", n, reading)
			}
		}
	}
}

func TestVerifyILPTellsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	_, answers := knownILP(t)
	f, c, other := answers[0].Fulfilment, answers[0].Condition, answers[1].Fulfilment
	// The last character carries two bits that are no part of the 32 octets.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", f[42])
	sibling := f[:42] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1])
	for _, test := range []struct {
		what, fulfilment, condition string
		want                        ILPReason
	}{
		{"right", f, c, ""},
		{"right, other bits left over", sibling, c, ""},
		{"another's", other, c, ILPFulfilmentMismatch},
		{"the condition itself", c, c, ILPFulfilmentMismatch},
		{"short", f[:42], c, ILPFulfilmentMalformed},
		{"padded", f + "=", c, ILPFulfilmentMalformed},
		{"of the other alphabet", "+" + f[1:], c, ILPFulfilmentMalformed},
		{"with a line end", f[:42] + "\n", c, ILPFulfilmentMalformed},
		{"with two line ends", f[:20] + "\r\n" + f[20:], c, ILPFulfilmentMalformed},
		{"long condition", f, c + "A", ILPConditionMalformed},
		{"condition with bits left over", f, c[:42] + "_", ILPConditionMalformed},
		{"condition with a line end", f, c[:20] + "\n" + c[21:], ILPConditionMalformed},
		{"nothing", "", "", ILPFulfilmentMalformed},
	} {
		if got := VerifyILP(test.fulfilment, test.condition); got != test.want {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}

func TestAPacketIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	party := `"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"1","fspId":"b"}}`
	amount := `"amount":{"currency":"USD","amount":"1"}`
	at := `"expiration":"2026-11-22T08:00:00Z"`
	for _, test := range []struct {
		version int
		text    string
		want    fault.Kind
	}{
		{1, `[]`, fault.Invalid},
		{1, `{`, fault.Invalid},
		{1, `{"a":1,"a":1,` + party + `,` + amount + `}`, fault.Invalid},
		{1, `{"n":1e400,` + party + `,` + amount + `}`, fault.Invalid},
		{1, `{"s":"\ud800",` + party + `,` + amount + `}`, fault.Invalid},
		{1, `{` + party + `}`, fault.Missing},
		{1, `{` + amount + `}`, fault.Missing},
		{1, `{` + amount + `,"payee":{"partyIdInfo":{"partyIdType":"","partyIdentifier":"1"}}}`, fault.Missing},
		{1, `{` + amount + `,"payee":{"partyIdInfo":{"partyIdType":"A","partyIdentifier":1}}}`, fault.Missing},
		{1, `{` + amount + `,"payee":{"partyIdInfo":{"partyIdType":"A","partyIdentifier":"1","partySubIdOrType":null}}}`, fault.Invalid},
		{1, `{` + amount + `,"payee":{"partyIdInfo":{"partyIdType":"A","partyIdentifier":"1","fspId":{}}}}`, fault.Invalid},
		{1, `{"conversionTerms":"x"}`, fault.Invalid},
		{1, `{"conversionTerms":{"counterPartyFsp":"f","sourceAmount":{"currency":"USD"}}}`, fault.Missing},
		{4, `{` + amount + `}`, fault.Missing},
		{4, `{` + amount + `,"expiration":null}`, fault.Missing},
		{4, `{` + amount + `,"expiration":"2026-11-22"}`, fault.Invalid},
		{4, `{` + amount + `,"expiration":"2026-11-22T08:00:00"}`, fault.Invalid},
		{4, `{` + amount + `,"expiration":"2026-02-30T08:00:00Z"}`, fault.Invalid},
		{4, `{` + amount + `,"expiration":"1969-12-31T23:59:59Z"}`, fault.Invalid},
		{4, `{"conversionTerms":{}}`, fault.Missing},
		{2, `{` + party + `,` + amount + `,` + at + `}`, fault.Invalid},
		{1, `{` + party + `,` + amount + `,"x":"` + strings.Repeat("x", 20000) + `"}`, fault.TooLarge},
		{4, `{` + at + `,` + amount + `,"x":"` + strings.Repeat("x", 20000) + `"}`, fault.TooLarge},
	} {
		tx, err := NewILPTransaction([]byte(test.text), FormSorted)
		if err == nil {
			_, err = NewILPOffer(test.version, tx)
		}
		if !errors.Is(err, test.want) {
			t.Errorf("version %d of %.80s: %v, want %v", test.version, test.text, err, test.want)
		}
	}
}

// ECMAScript's ways show in accounts: what is absent is "undefined", and text is cut to an octet for each code unit.
func TestAccountsAreThoseOfTheLibrary(t *testing.T) {
	t.Parallel()
	for party, want := range map[string]string{
		`{"partyIdType":"MSISDN","partyIdentifier":"+1 A"}`:                                        "g.undefined.msisdn.+1 a",
		`{"partyIdType":"MSISDN","partyIdentifier":"1","fspId":null}`:                              "g.null.msisdn.1",
		`{"partyIdType":"MSISDN","partyIdentifier":"1","fspId":1.50}`:                              "g.1.5.msisdn.1",
		`{"partyIdType":"A","partyIdentifier":"B","fspId":"Fsp","partySubIdOrType":"PersonaL"}`:    "g.Fsp.a.b.personal",
		`{"partyIdType":"A","partyIdentifier":"B","fspId":"Fsp","partySubIdOrType":""}`:            "g.Fsp.a.b",
		`{"partyIdType":"A","partyIdentifier":"\u00c9\u65e5\ud83d\ude42","fspId":"Fsp","name":""}`: "g.Fsp.a.\xe9\xe5\x3d\x42",
	} {
		tx := must(NewILPTransaction([]byte(`{"amount":{"currency":"USD","amount":"1"},"payee":{"partyIdInfo":`+party+`}}`), FormSorted))
		if got := must(tx.account()); string(got) != want {
			t.Errorf("%s: %q, want %q", party, got, want)
		}
	}
}

func TestANoteThatSaysNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	for note, kept := range map[string]bool{`""`: false, "null": false, "false": false, "0": false, "-0.0e5": false, `"0"`: true, "[]": true, "1": true} {
		tx := must(QuotedILPTransaction([]byte(`{"quoteId":"q","note":"the payer's"}`),
			[]byte(`{"transferAmount":{"currency":"USD","amount":"1"},"note":`+note+`}`), FormSorted))
		if got := strings.Contains(string(tx.Text()), `"note"`); got != kept {
			t.Errorf("note %s: %s", note, tx.Text())
		}
	}
	for _, bodies := range [][2]string{{`{}`, `[]`}, {`{`, `{}`}, {`{"a":1,"a":2}`, `{}`}, {`{}`, `{}`}} {
		if _, err := QuotedILPTransaction([]byte(bodies[0]), []byte(bodies[1]), FormSorted); err == nil {
			t.Errorf("%q was taken", bodies)
		}
		if _, err := QuotedILPConversion([]byte(bodies[0]), []byte(bodies[1]), FormSorted); err == nil {
			t.Errorf("%q was taken for a conversion", bodies)
		}
	}
}
