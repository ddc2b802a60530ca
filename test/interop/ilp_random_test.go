package interop

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample is a random transaction, as a quote with its answer, as a transaction object or as a conversion of currencies.
type sample struct {
	// what is "quote", "transaction" or "fx-quote".
	what    string
	version int
	secret  string
	// request and response are bodies of the quote; transaction is the object, or of a quote the one that generation a makes
	// of it, which has no expiration.
	request, response, transaction string
	// transfer is the body of POST /transfers that belongs to it, as members.
	transfer map[string]any
}

// dice makes samples of a seed.
type dice struct{ *rand.Rand }

// newDice takes the seed from CPM_SEED, to repeat a run.
func newDice(t *testing.T) dice {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("CPM_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("CPM_SEED=%d", seed)
	return dice{rand.New(rand.NewPCG(seed, 0))}
}

func (d dice) sample(i int) sample {
	s := sample{version: []int{1, 4}[i%2], what: []string{"quote", "transaction", "fx-quote"}[i/2%3], secret: d.secret()}
	if s.what == "fx-quote" {
		s.conversion(d)
	} else {
		s.quote(d)
	}
	return s
}

// secret is text, as the library's configuration has it.
func (d dice) secret() string {
	if d.IntN(20) == 0 {
		return "mojaloop-sdk"
	}
	return d.text(1 + d.IntN(80))
}

func (s *sample) quote(d dice) {
	payer, payee, amount := d.party(), d.party(), d.money()
	request := object{
		{"quoteId", d.id()},
		{"transactionId", d.id()},
		{"payee", payee},
		{"payer", payer},
		{"amountType", d.pick("SEND", "RECEIVE")},
		{"amount", d.money()},
		{"transactionType", d.transactionType()},
		{"note", d.text(10)},
		{"extensionList", d.extensions()},
	}
	response := object{{"transferAmount", amount}, {"payeeReceiveAmount", d.money()}, {"expiration", d.time()}, {"ilpPacket", "x"}}
	switch d.IntN(3) {
	case 0:
		response = append(response, member{"note", d.text(d.IntN(30))})
	case 1:
		response = append(response, member{"note", ""})
	}
	s.request, s.response = d.write(request), d.write(response)
	transaction := object{
		{"transactionId", d.id()},
		{"quoteId", d.id()},
		{"payee", payee},
		{"payer", payer},
		{"amount", amount},
		{"transactionType", d.transactionType()},
		{"expiration", response[2].value},
		{d.text(8), d.anything(3)},
	}
	s.transaction = d.write(transaction)
	s.transfer = map[string]any{
		"transferId": d.id(), "payerFsp": fspOf(payer), "payeeFsp": fspOf(payee),
		"amount": map[string]any{"currency": amount[0].value, "amount": amount[1].value},
	}
}

func (s *sample) conversion(d dice) {
	source, target := d.money(), d.money()
	terms := object{
		{"conversionId", d.id()},
		{"initiatingFsp", d.name()},
		{"counterPartyFsp", d.name()},
		{"amountType", "SEND"},
		{"sourceAmount", source},
		{"targetAmount", target},
		{"expiration", d.time()},
		{"extensionList", d.extensions()},
	}
	request := object{{"conversionRequestId", d.id()}, {"conversionTerms", object{{"initiatingFsp", "x"}}}}
	s.request = d.write(request)
	s.response = d.write(object{{"conversionTerms", terms}, {"condition", "x"}})
	s.transaction = d.write(object{{"conversionRequestId", request[0].value}, {"conversionTerms", terms}})
}

// object is a JSON object whose members have an order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members as they come, without escapes that are not needed.
func (o object) MarshalJSON() ([]byte, error) {
	var parts []string
	for _, m := range o {
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(name)+":"+string(value))
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

// write gives an object's text with its members in random order and sometimes spaced.
func (d dice) write(o object) string {
	d.Shuffle(len(o), func(i, j int) {
		if o[i].name != "expiration" && o[j].name != "expiration" { // the third of an answer stays there
			o[i], o[j] = o[j], o[i]
		}
	})
	text, err := json.Marshal(o)
	if d.IntN(4) == 0 {
		text, err = json.MarshalIndent(o, "", " ")
	}
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (d dice) party() object {
	info := object{
		{"partyIdType", d.pick("MSISDN", "EMAIL", "ACCOUNT_ID", "ALIAS", "PERSONAL_ID")},
		{"partyIdentifier", d.text(1 + d.IntN(60))},
		{"fspId", d.name()},
	}
	switch d.IntN(4) {
	case 0:
		info = append(info, member{"partySubIdOrType", d.text(1 + d.IntN(10))})
	case 1:
		info = append(info, member{"partySubIdOrType", ""})
	}
	d.Shuffle(len(info), func(i, j int) { info[i], info[j] = info[j], info[i] })
	party := object{{"partyIdInfo", info}, {"name", d.text(d.IntN(30))}}
	if d.IntN(2) == 0 {
		party = append(party, member{"personalInfo", object{{"dateOfBirth", "1990-01-01"}, {"complexName", d.anything(2)}}})
	}
	return party
}

func fspOf(party object) any {
	for _, m := range party[0].value.(object) {
		if m.name == "fspId" {
			return m.value
		}
	}
	return nil
}

func (d dice) transactionType() object {
	return object{{"scenario", d.pick("TRANSFER", "DEPOSIT", "REFUND")}, {"initiator", "PAYER"}, {"initiatorType", d.anything(1)}}
}

func (d dice) extensions() any {
	var list []object
	for range d.IntN(4) {
		list = append(list, object{{"key", d.text(8)}, {"value", d.text(20)}})
	}
	return object{{"extension", list}}
}

// anything is a value of any kind. Names are never array indices: the older generations cannot keep their order.
func (d dice) anything(depth int) any {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch d.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return d.IntN(2) == 0
	case 2:
		return []any{d.IntN(1000), -d.IntN(10), float64(d.IntN(1<<30)) / 1024, 1e21, 1e-7, 12345678901234}[d.IntN(6)]
	case 3:
		return d.text(d.IntN(40))
	case 4:
		var list []any
		for range d.IntN(4) {
			list = append(list, d.anything(depth-1))
		}
		return list
	}
	o := object{}
	for i := range d.IntN(5) {
		o = append(o, member{fmt.Sprintf("%s_%d", d.text(5), i), d.anything(depth - 1)})
	}
	return o
}

// money has an amount that is a whole number of the currency's smallest unit.
func (d dice) money() object {
	currency, decimals := "USD", 2
	switch d.IntN(6) {
	case 0:
		currency, decimals = d.pick("XOF", "JPY", "UGX", "RWF"), 0
	case 1:
		currency, decimals = d.pick("BHD", "KWD", "TND"), 3
	case 2:
		currency, decimals = d.pick("CLF", "UYW"), 4
	case 3:
		currency = d.pick("EUR", "KES", "TZS", "ZMW", "MMK")
	}
	amount := fmt.Sprint(d.Uint64N(1 << (1 + d.IntN(43))))
	if places := d.IntN(decimals + 1); places > 0 {
		amount += fmt.Sprintf(".%0*d", places, d.IntN(pow10(places)))
	}
	return object{{"currency", currency}, {"amount", amount}}
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

func (d dice) time() string {
	at := time.UnixMilli(d.Int64N(4_000_000_000_000)).UTC()
	if zone := d.IntN(3); zone > 0 {
		at = at.In(time.FixedZone("", []int{0, 7200, -16200}[zone]))
	}
	return at.Format([]string{"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05Z07:00"}[d.IntN(2)])
}

func (d dice) id() string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", d.Uint32(), d.IntN(1<<16), d.IntN(1<<12), d.IntN(1<<12), d.Int64N(1<<48))
}

func (d dice) name() string {
	var b strings.Builder
	for range 1 + d.IntN(20) {
		b.WriteByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[d.IntN(64)])
	}
	return b.String()
}

func (d dice) pick(from ...string) string { return from[d.IntN(len(from))] }

// text has characters of every length in UTF-8, those that JSON escapes, and those that some writers escape.
func (d dice) text(n int) string {
	alphabet := slices.Concat([]rune(strings.Repeat("abcdefghijklmnoPQRSTUVWXYZ 0123456789@.+-", 3)), []rune("éÜñŻЖя日本語🙂𝒳<>&/\"\\\u2028\u2029\t\u0001"))
	var b strings.Builder
	for range n {
		b.WriteRune(alphabet[d.IntN(len(alphabet))])
	}
	return b.String()
}
