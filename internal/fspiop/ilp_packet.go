package fspiop

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// maxILPPacket is how many characters the text of a packet may have (FSPIOP API Definition v1.1, data type IlpPacket).
const maxILPPacket = 32768

// The types of packet, its first octet (Interledger RFC 3 and RFC 27).
const (
	typePayment = 1
	typePrepare = 12
)

// mojaloopAddress is the destination in every packet of version 4: Mojaloop routes by identifiers of parties, not by
// Interledger's addresses.
const mojaloopAddress = "g.mojaloop"

// maxAddress is how long an Interledger address may be (RFC 15).
const maxAddress = 1023

// ILPPacket is a decoded packet.
type ILPPacket struct {
	// Version is ILPv1 or ILPv4.
	Version int
	// Amount is in the smallest unit of the currency.
	Amount uint64
	// Account is the address of the payee (v1) or the destination (v4).
	Account []byte
	// ExpiresAt and Condition are in packets of version 4 only.
	ExpiresAt time.Time
	Condition [32]byte
	// Data is the text that is attached: base64url of the transaction object's JSON text.
	Data []byte
}

// DecodeILPPacket reads the text of a packet: base64url, with or without padding, at most 32,768 characters. Lengths must have
// their shortest form and nothing may follow, so that there is one encoding of each packet. Its errors are Invalid.
func DecodeILPPacket(text string) (*ILPPacket, error) {
	if text == "" {
		return nil, fault.New(fault.Missing, "the packet is missing")
	}
	octets, ok := decodePadded(text)
	if !ok {
		return nil, fault.New(fault.Invalid, "the packet must be base64url of at most %d characters", maxILPPacket)
	}
	envelope := &oerReader{rest: octets}
	kind := envelope.octet()
	r := &oerReader{rest: envelope.sized()}
	r.failed = envelope.failed || len(envelope.rest) > 0
	p := &ILPPacket{Amount: r.uint64()}
	switch kind {
	case typePayment:
		p.readPayment(r)
	case typePrepare:
		p.readPrepare(r)
	default:
		return nil, fault.New(fault.Invalid, "the packet must be a payment (version 1) or a prepare packet (version 4)")
	}
	if r.failed || len(r.rest) > 0 {
		return nil, fault.New(fault.Invalid, "the packet cannot be read: a length, a field or the end is not where it must be")
	}
	return p, nil
}

// decodePadded is strict, but takes padding, which the pattern of the data type allows.
func decodePadded(text string) ([]byte, bool) {
	if len(text) > maxILPPacket {
		return nil, false
	}
	if bare := strings.TrimRight(text, "="); len(bare) < len(text) {
		if len(text)%4 != 0 || len(text)-len(bare) > 2 {
			return nil, false
		}
		text = bare
	}
	octets, err := decodeBase64URL(text)
	return octets, err == nil
}

func (p *ILPPacket) readPayment(r *oerReader) {
	p.Version = ILPv1
	p.Account, p.Data = r.sized(), r.sized()
	if r.octet() != 0 { // extensions, of which there are none
		r.failed = true
	}
}

func (p *ILPPacket) readPrepare(r *oerReader) {
	p.Version = ILPv4
	var ok bool
	if p.ExpiresAt, ok = parseILPTime(r.take(len(ilpTime) + 3)); !ok {
		r.failed = true
	}
	copy(p.Condition[:], r.take(len(p.Condition)))
	p.Account, p.Data = r.sized(), r.sized()
	if !isILPAddress(p.Account) {
		r.failed = true
	}
}

// Encode gives the packet's text, without padding.
func (p *ILPPacket) Encode() string { return base64url.EncodeToString(p.octets()) }

func (p *ILPPacket) octets() []byte {
	body := make([]byte, 0, 128+len(p.Account)+len(p.Data))
	body = binary.BigEndian.AppendUint64(body, p.Amount)
	kind := byte(typePayment)
	if p.Version == ILPv4 {
		kind = typePrepare
		body = appendILPTime(body, p.ExpiresAt)
		body = append(body, p.Condition[:]...)
	}
	body = appendSized(appendSized(body, p.Account), p.Data)
	if p.Version == ILPv1 {
		body = append(body, 0)
	}
	return appendSized(append(make([]byte, 0, len(body)+8), kind), body)
}

// AccountText shows the account as the library does: the lower seven bits of each octet.
func (p *ILPPacket) AccountText() string {
	text := make([]byte, len(p.Account))
	for i, c := range p.Account {
		text[i] = c & 0x7f
	}
	return string(text)
}

// Transaction is the JSON text of the transaction object in the data, as it stands there; false if there is none.
func (p *ILPPacket) Transaction() ([]byte, bool) {
	text, err := p.transaction()
	if err != nil {
		return nil, false
	}
	doc, err := canon.Parse(text)
	return text, err == nil && doc.IsObject()
}

func (p *ILPPacket) transaction() ([]byte, error) {
	text, ok := decodePadded(string(p.Data))
	if !ok || len(text) == 0 {
		return nil, fault.New(fault.Invalid, "the data of the packet are no transaction object in base64url")
	}
	return text, nil
}

// ilpTime is the time in a prepare packet, in UTC; three digits of milliseconds follow it (RFC 27).
const ilpTime = "20060102150405"

func appendILPTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	dst = t.AppendFormat(dst, ilpTime)
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(dst, '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10)) //nolint:gosec // below 1000
}

func parseILPTime(text []byte) (time.Time, bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
	}
	if len(text) != len(ilpTime)+3 {
		return time.Time{}, false
	}
	t, err := time.Parse(ilpTime, string(text[:len(ilpTime)]))
	if err != nil {
		return time.Time{}, false
	}
	ms, err := strconv.Atoi(string(text[len(ilpTime):]))
	return t.Add(time.Duration(ms) * time.Millisecond), err == nil
}

// isILPAddress is the rule of RFC 15: an allocation scheme and at least one segment.
func isILPAddress(address []byte) bool {
	if len(address) > maxAddress {
		return false
	}
	scheme, rest, found := strings.Cut(string(address), ".")
	switch scheme {
	case "g", "private", "example", "peer", "self", "test", "test1", "test2", "test3", "local":
	default:
		return false
	}
	for segment := range strings.SplitSeq(rest, ".") {
		if segment == "" || strings.ContainsFunc(segment, notOfSegment) {
			return false
		}
	}
	return found
}

func notOfSegment(r rune) bool {
	alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !alphanumeric && r != '_' && r != '~' && r != '-'
}
