package fspiop

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

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

func TestAnAmountIsAWholeNumberOfTheSmallestUnit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		money string
		want  uint64
		ok    bool
	}{
		{`{"currency":"USD","amount":"1.1"}`, 110, true},
		{`{"currency":"USD","amount":"0"}`, 0, true},
		{`{"currency":"USD","amount":"100.00"}`, 10000, true},
		{`{"currency":"USD","amount":"007.50"}`, 750, true},
		{`{"currency":"USD","amount":12.5}`, 1250, true},
		{`{"currency":"XOF","amount":"99"}`, 99, true},
		{`{"currency":"XOF","amount":"99.0"}`, 99, true},
		{`{"currency":"TND","amount":"1.001"}`, 1001, true},
		{`{"currency":"XXX","amount":"1.0001"}`, 10001, true},
		{`{"currency":"XOF","amount":"18446744073709551615"}`, math.MaxUint64, true},
		{`{"currency":"XOF","amount":"18446744073709551616"}`, 0, false},
		{`{"currency":"USD","amount":"184467440737095516.16"}`, 0, false},
		{`{"currency":"USD","amount":"1.001"}`, 0, false},
		{`{"currency":"JPY","amount":"1.5"}`, 0, false},
		{`{"currency":"USD","amount":"-1"}`, 0, false},
		{`{"currency":"USD","amount":"+1"}`, 0, false},
		{`{"currency":"USD","amount":"1e2"}`, 0, false},
		{`{"currency":"USD","amount":1e2}`, 0, false},
		{`{"currency":"USD","amount":" 1"}`, 0, false},
		{`{"currency":"USD","amount":"1_0"}`, 0, false},
		{`{"currency":"USD","amount":"1."}`, 0, false},
		{`{"currency":"USD","amount":".5"}`, 0, false},
		{`{"currency":"USD","amount":"1.0.0"}`, 0, false},
		{`{"currency":"USD","amount":""}`, 0, false},
		{`{"currency":"USD","amount":null}`, 0, false},
		{`{"currency":"USD","amount":true}`, 0, false},
		{`{"currency":"USD"}`, 0, false},
		{`{"currency":"usd","amount":"1"}`, 0, false},
		{`{"currency":"D U","amount":"1"}`, 0, false},
		{`{"currency":"XYZ","amount":"1"}`, 0, false},
		{`{"currency":7,"amount":"1"}`, 0, false},
		{`{"amount":"1"}`, 0, false},
		{`"USD 1"`, 0, false},
		{`{"currency":"USD","amount":"` + strings.Repeat("0", 64) + `1"}`, 0, false},
	} {
		tx, err := NewILPTransaction([]byte(`{"amount":`+test.money+`}`), FormSorted)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.money, err)
		} else if err == nil && tx.amount != test.want {
			t.Errorf("%s: %d, want %d", test.money, tx.amount, test.want)
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

func TestILPTransfersAreComparedWithTheirPacket(t *testing.T) {
	t.Parallel()
	_, answers := knownILP(t)
	find := func(version int, quoted, converted bool) ilpAnswer {
		for _, a := range answers {
			if a.Release == "19.19.1" && a.Version == version && (a.Quote != nil) == quoted && (a.FxQuote != nil) == converted {
				return a
			}
		}
		t.Fatal("no such answer")
		return ilpAnswer{}
	}
	v1, v4, fx, odd := find(1, true, false), find(4, true, false), find(4, false, true), find(1, false, false)
	transfer := `"payerFsp":"payerfsp","payeeFsp":"PayeeFSP","amount":{"currency":"USD","amount":"1023.45"}`
	conversion := `"initiatingFsp":"PayerFSP","counterPartyFsp":"FXP-1","sourceAmount":{"currency":"ZMW","amount":"21000"},` +
		`"targetAmount":{"currency":"TZS","amount":"48000.5"}`
	for _, test := range []struct {
		of       ilpAnswer
		transfer string
		want     ILPReason
	}{
		{v1, transfer, ""},
		{v4, transfer, ""},
		{v1, transfer + `,"ilpPacket":"` + v1.IlpPacket + `","condition":"` + v1.Condition + `"`, ""},
		{v1, transfer + `,"condition":"` + fx.Condition + `"`, ""}, // a packet of version 1 has no condition
		{v4, transfer + `,"condition":"` + v4.Condition + `"`, ""},
		{v4, transfer + `,"condition":"` + v1.Condition + `"`, ILPConditionDiffers},
		{v4, transfer + `,"ilpPacket":"` + v1.IlpPacket + `"`, ILPPacketDiffers},
		{v1, strings.Replace(transfer, `"payerfsp"`, `"PayerFSP"`, 1), ILPPayerDiffers},
		{v1, strings.Replace(transfer, `"payerFsp"`, `"payer"`, 1), ILPPayerDiffers},
		{v1, strings.Replace(transfer, "PayeeFSP", "payeefsp", 1), ILPPayeeDiffers},
		{v1, strings.Replace(transfer, "USD", "EUR", 1), ILPCurrencyDiffers},
		{v1, strings.Replace(transfer, "1023.45", "1023.450", 1), ILPAmountDiffers},
		{v1, strings.Replace(transfer, `"1023.45"`, `1023.45`, 1), ILPAmountDiffers},
		{odd, transfer, ILPPayerDiffers},
		{fx, conversion, ""},
		{fx, conversion + `,"condition":"` + fx.Condition + `"`, ""},
		{fx, transfer, ILPInitiatorDiffers},
		{fx, strings.Replace(conversion, "FXP-1", "FXP-2", 1), ILPCounterPartyDiffers},
		{fx, strings.Replace(conversion, "21000", "2100", 1), ILPSourceDiffers},
		{fx, strings.Replace(conversion, "TZS", "USD", 1), ILPTargetDiffers},
	} {
		got, err := ILPDisagreement(test.of.IlpPacket, must(DecodeILPPacket(test.of.IlpPacket)), []byte("{"+test.transfer+"}"))
		if err != nil || got != test.want {
			t.Errorf("version %d, %s: %q %v, want %q", test.of.Version, test.transfer, got, err, test.want)
		}
	}
	p := must(DecodeILPPacket(v1.IlpPacket))
	for _, bad := range []string{"", "[]", `{"amount":1,"amount":2}`} {
		if _, err := ILPDisagreement(v1.IlpPacket, p, []byte(bad)); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	empty := &ILPPacket{Version: ILPv1, Account: []byte("g.x"), Data: []byte("?")}
	if got, err := ILPDisagreement(empty.Encode(), empty, []byte("{"+transfer+"}")); err != nil || got != ILPNoTransaction {
		t.Errorf("without a transaction: %q %v", got, err)
	}
}

func TestPacketsAreReadStrictly(t *testing.T) {
	t.Parallel()
	payment := &ILPPacket{Version: ILPv1, Amount: 1<<63 + 7, Account: []byte("g.b.msisdn.1"), Data: []byte("eyJhIjoxfQ")}
	prepare := &ILPPacket{
		Version: ILPv4, Amount: 5, Account: []byte(mojaloopAddress), ExpiresAt: time.Date(2026, 11, 22, 8, 0, 0, 123e6, time.UTC),
		Condition: [32]byte{1, 2, 3}, Data: []byte(strings.Repeat("A", 300)),
	}
	for _, p := range []*ILPPacket{payment, prepare} {
		for _, padding := range []string{"", strings.Repeat("=", (4-len(p.Encode())%4)%4)} {
			got, err := DecodeILPPacket(p.Encode() + padding)
			if diff := cmp.Diff(p, got); err != nil || diff != "" {
				t.Errorf("%v (-written +read)\n%s", err, diff)
			}
		}
	}
	v1, v4 := payment.octets(), prepare.octets()
	change := func(octets []byte, at int, with ...byte) string {
		out := append([]byte(nil), octets...)
		copy(out[at:], with)
		return base64url.EncodeToString(out)
	}
	join := func(parts ...[]byte) string {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return base64url.EncodeToString(all)
	}
	for what, text := range map[string]string{
		"no base64url":                 "AQ*",
		"the other alphabet":           "+Q",
		"bits left over":               "AR",
		"a line end":                   payment.Encode() + "\n",
		"too much padding":             payment.Encode() + "====",
		"padding in the wrong place":   payment.Encode() + strings.Repeat("=", (4-len(payment.Encode())%4)%4+1),
		"too long":                     strings.Repeat("A", maxILPPacket+4),
		"only a type":                  join([]byte{1}),
		"another type":                 change(v1, 0, 13),
		"something behind it":          join(v1, []byte{0}),
		"cut":                          base64url.EncodeToString(v1[:len(v1)-1]),
		"a length too great":           change(v1, 1, v1[1]+1),
		"a length too small":           change(v1, 1, v1[1]-1),
		"a long form for a short one":  join([]byte{1, 0x81, v1[1]}, v1[2:]),
		"a leading zero in the length": join([]byte{12, 0x83, 0}, v4[2:]),
		"the indefinite form":          join([]byte{1, 0x80}, v1[2:]),
		"a length of eight octets":     join([]byte{1, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, v1[2:]),
		"an extension":                 change(v1, len(v1)-1, 1),
		"a field behind the last":      join([]byte{1, v1[1] + 1}, v1[2:], []byte{0}),
		"a month that is none":         change(v4, 12+4, '1', '3'),
		"a day that is none":           change(v4, 12+6, '3', '2'),
		"an hour that is none":         change(v4, 12+8, '2', '4'),
		"a time that is no number":     change(v4, 12+16, 'x'),
		"a destination of no scheme":   change(v4, 12+17+32+1, 'x'),
		"an empty segment":             change(v4, 12+17+32+2, '.', '.'),
		"a segment with a space":       change(v4, 12+17+32+4, ' '),
		"no segment":                   change(v4, 12+17+32+2, 'x'),
		"an address that is too long": (&ILPPacket{
			Version: ILPv4, ExpiresAt: prepare.ExpiresAt, Account: []byte("g." + strings.Repeat("a", 1022)),
		}).Encode(),
	} {
		if p, err := DecodeILPPacket(text); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	if _, err := DecodeILPPacket(""); !errors.Is(err, fault.Missing) {
		t.Errorf("nothing: %v", err)
	}
	for what, p := range map[string]*ILPPacket{
		"none": {Version: ILPv4, Account: []byte("g.x"), ExpiresAt: prepare.ExpiresAt},
		"bad":  {Version: ILPv4, Account: []byte("g.x"), ExpiresAt: prepare.ExpiresAt, Data: []byte("?")},
	} {
		if _, err := ReceivedILPOffer(p.Encode()); !errors.Is(err, fault.Invalid) {
			t.Errorf("data: %s: %v", what, err)
		}
	}
}
