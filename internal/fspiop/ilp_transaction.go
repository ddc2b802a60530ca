package fspiop

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// ILPTransaction is a transaction object in the form that goes into a packet, and what a packet says of it beside that. A
// conversion of currencies has conversionTerms.
type ILPTransaction struct {
	text   []byte
	terms  []byte // conversionTerms; nil for a transfer
	amount uint64
}

// Text is the JSON text as it goes into the packet.
func (t *ILPTransaction) Text() []byte { return t.text }

// NewILPTransaction reads a transaction object and puts it into a canonical form: sorted, as the library writes it since
// release 19.18.9, or legacy. Its errors are Invalid and Missing.
func NewILPTransaction(text []byte, form Form) (*ILPTransaction, error) {
	doc, err := canon.Parse(text)
	if err != nil || !doc.IsObject() {
		return nil, fault.New(fault.Invalid, "the transaction is not a JSON object").Because(err)
	}
	if err := doc.Ambiguous(); err != nil {
		return nil, fault.New(fault.Invalid, "the transaction can be read in two ways: repeated members, numbers that change "+
			"as doubles, or half surrogate pairs").Because(err)
	}
	t := &ILPTransaction{}
	if form == FormLegacy {
		t.text = doc.AppendLegacy(nil)
	} else {
		t.text = doc.AppendSorted(nil)
	}
	if terms, ok := memberOf(doc, "conversionTerms"); ok && truthy(terms) {
		if terms.Kind() != canon.Object {
			return nil, fault.New(fault.Invalid, "conversionTerms must be an object")
		}
		t.terms = terms.Raw()
		return t, nil // the amount in the packet of a conversion is 0
	}
	money, ok := memberOf(doc, "amount")
	if !ok {
		return nil, fault.New(fault.Missing, "the transaction has no amount (of a quote: transferAmount)")
	}
	if t.amount, err = minorUnits(money); err != nil {
		return nil, err
	}
	return t, nil
}

// quoted are the members that make a transaction object of a quote, in the order of the library: the name there, the name in
// the quote, and whether it comes from the answer.
func quoted() []struct {
	name, from string
	answered   bool
} {
	return []struct {
		name, from string
		answered   bool
	}{
		{"quoteId", "quoteId", false},
		{"transactionId", "transactionId", false},
		{"transactionType", "transactionType", false},
		{"payee", "payee", false},
		{"payer", "payer", false},
		{"expiration", "expiration", true},
		{"amount", "transferAmount", true},
		{"note", "note", true},
	}
}

// QuotedILPTransaction makes the transaction object of the bodies of POST /quotes and of the answer to it.
func QuotedILPTransaction(request, response []byte, form Form) (*ILPTransaction, error) {
	bodies, err := quoteBodies(request, response)
	if err != nil {
		return nil, err
	}
	object := objectText{'{'}
	for _, q := range quoted() {
		v, ok := bodies[0][q.from]
		if q.answered {
			v, ok = bodies[1][q.from]
		}
		if ok && (q.name != "note" || truthy(v)) {
			object.add(q.name, v)
		}
	}
	return NewILPTransaction(append(object, '}'), form)
}

// QuotedILPConversion makes that of the bodies of POST /fxQuotes and of the answer to it.
func QuotedILPConversion(request, response []byte, form Form) (*ILPTransaction, error) {
	bodies, err := quoteBodies(request, response)
	if err != nil {
		return nil, err
	}
	terms, ok := bodies[1]["conversionTerms"]
	if !ok || terms.Kind() != canon.Object {
		return nil, fault.New(fault.Missing, "the answer to the FX quote has no conversionTerms")
	}
	object := objectText{'{'}
	if id, ok := bodies[0]["conversionRequestId"]; ok {
		object.add("conversionRequestId", id)
	}
	object.add("conversionTerms", terms)
	return NewILPTransaction(append(object, '}'), form)
}

// objectText is the text of an object that is being written.
type objectText []byte

func (o *objectText) add(name string, v canon.Value) {
	if len(*o) > 1 {
		*o = append(*o, ',')
	}
	*o = append(append(append(append(*o, '"'), name...), '"', ':'), v.Raw()...)
}

// quoteBodies are the members of both bodies.
func quoteBodies(request, response []byte) (bodies [2]map[string]canon.Value, err error) {
	for i, body := range [][]byte{request, response} {
		doc, err := canon.Parse(body)
		if err != nil || !doc.IsObject() {
			return bodies, fault.New(fault.Invalid, "request and response of a quote must be JSON objects").Because(err)
		}
		bodies[i] = map[string]canon.Value{}
		for name, v := range doc.Members() {
			if _, again := bodies[i][name]; again {
				return bodies, fault.New(fault.Invalid, "a body of the quote has two members of one name")
			}
			bodies[i][name] = v
		}
	}
	return bodies, nil
}

// account is the address in a packet of version 1. The library coerces and cuts as ECMAScript does, and so does this.
func (t *ILPTransaction) account() ([]byte, error) {
	if t.terms != nil {
		return t.conversionAccount()
	}
	party, err := lookup(t.text, "payee", "partyIdInfo")
	if err != nil {
		return nil, err
	}
	kind, _ := textOf(party.Raw(), "partyIdType")
	identifier, _ := textOf(party.Raw(), "partyIdentifier")
	if kind == "" || identifier == "" {
		return nil, fault.New(fault.Missing, "payee.partyIdInfo must have the texts partyIdType and partyIdentifier")
	}
	fsp, err := coerced(party.Raw(), "fspId")
	if err != nil {
		return nil, err
	}
	address := "g." + fsp + "." + strings.ToLower(kind) + "." + strings.ToLower(identifier)
	if sub, err := lookup(party.Raw(), "partySubIdOrType"); err == nil {
		text, isText := sub.Text()
		if !isText {
			return nil, fault.New(fault.Invalid, "payee.partyIdInfo.partySubIdOrType must be a text")
		}
		if text != "" {
			address += "." + strings.ToLower(text)
		}
	}
	return lowOctets(address), nil
}

// conversionAccount names the FXP and both currencies.
func (t *ILPTransaction) conversionAccount() ([]byte, error) {
	address := "g"
	for _, path := range [][]string{{"counterPartyFsp"}, {"sourceAmount", "currency"}, {"targetAmount", "currency"}} {
		text, ok := textOf(t.terms, path...)
		if !ok {
			return nil, fault.New(fault.Missing, "conversionTerms must have counterPartyFsp and the currencies of both amounts")
		}
		address += "." + strings.ToLower(text)
	}
	return lowOctets(address), nil
}

// coerced is a member as a template string of ECMAScript shows it: one that is absent is "undefined".
func coerced(object []byte, name string) (string, error) {
	v, err := lookup(object, name)
	if err != nil {
		return "undefined", nil
	}
	if text, ok := v.Text(); ok {
		return text, nil
	}
	if v.Kind() == canon.Array || v.Kind() == canon.Object {
		return "", fault.New(fault.Invalid, "payee.partyIdInfo.fspId must be a text")
	}
	return string(v.Raw()), nil // the text is canonical already
}

// lowOctets is the lower half of each UTF-16 code unit, which is what ASCII text is to Node.
func lowOctets(text string) []byte {
	units := utf16.Encode([]rune(text))
	octets := make([]byte, len(units))
	for i, unit := range units {
		octets[i] = byte(unit & 0xff)
	}
	return octets
}

// expiration is the time in a packet of version 4.
func (t *ILPTransaction) expiration() (time.Time, error) {
	object := t.text
	if t.terms != nil {
		object = t.terms
	}
	text, ok := textOf(object, "expiration")
	if !ok {
		return time.Time{}, fault.New(fault.Missing, "a packet of version 4 needs an expiration (in the answer to the quote)")
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if utc := at.UTC(); err != nil || utc.Year() < 1970 || utc.Year() > 9999 {
		return time.Time{}, fault.New(fault.Invalid, "expiration must be a date and time with its zone, like 2026-11-22T08:00:00.000Z")
	}
	return at, nil
}

// lookup finds a member of an object, and of that one the next.
func lookup(object []byte, path ...string) (canon.Value, error) {
	var found canon.Value
	for _, name := range path {
		doc, err := canon.Parse(object)
		ok := false
		if err == nil {
			found, ok = memberOf(doc, name)
		}
		if !ok {
			return canon.Value{}, fault.New(fault.Missing, "the transaction lacks the member %s", strings.Join(path, "."))
		}
		object = found.Raw()
	}
	return found, nil
}

// textOf is a member that is a text.
func textOf(object []byte, path ...string) (string, bool) {
	v, err := lookup(object, path...)
	if err != nil {
		return "", false
	}
	return v.Text()
}

func memberOf(doc *canon.Document, name string) (canon.Value, bool) {
	for n, v := range doc.Members() {
		if n == name {
			return v, true
		}
	}
	return canon.Value{}, false
}

// truthy is what counts as true in ECMAScript.
func truthy(v canon.Value) bool {
	switch v.Kind() {
	case canon.Null, canon.False:
		return false
	case canon.String:
		return len(v.Raw()) > len(`""`)
	case canon.Number:
		n, _ := strconv.ParseFloat(string(v.Raw()), 64)
		return n != 0
	}
	return true
}
