package fspiop

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/mojaloop/cpm/internal/fault"
)

// Everything in the files named ilp is about the packet, the condition and the fulfilment of a transfer (FSPIOP API
// Definition v1.1, section 6.5). The FSP of the payee makes a packet of the transaction it quotes, derives the fulfilment from
// it with a secret of its own, and gives the hash of the fulfilment, the condition, away. Who shows the fulfilment later has
// accepted the transfer; anybody can verify that, without a key.

// The versions of a packet.
const (
	ILPv1 = 1 // the payment packet of FSPIOP
	ILPv4 = 4 // the prepare packet of Interledger v4, which the ISO 20022 messages of Mojaloop use
)

// ILPReading is what of the secret and the packet goes into the HMAC.
type ILPReading uint8

// The readings.
const (
	// ILPDeployed is what Mojaloop's library computes: the key is the base64 text of the secret, and the message is a text,
	// of version 1 the packet's, of version 4 the base64 of the transaction object.
	ILPDeployed ILPReading = iota
	// ILPTextbook is what the API Definition says: the secret itself and the octets of the packet.
	ILPTextbook
)

// ILPKey is the HMAC key that a reading makes of a secret. One that is longer than a block of the hash is hashed here, which
// HMAC does too (RFC 2104, section 2), so that it has 64 octets at most.
func ILPKey(reading ILPReading, secret []byte) []byte {
	key := append([]byte(nil), secret...)
	if reading == ILPDeployed {
		key = base64.StdEncoding.AppendEncode(nil, secret)
	}
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	return key
}

// ILPOffer is a transaction on its way to a condition. A packet of version 4 has the condition inside, so one that is being
// made is complete only when the secret has been used.
type ILPOffer struct {
	packet *ILPPacket
	// text is the packet's, empty while there is none.
	text string
	// transaction is the text of the transaction object; nil for a packet of version 1 that was there already.
	transaction []byte
}

// ILPAnswer is what the answer to a quote carries, and the fulfilment, which is to be kept back until the transfer comes.
type ILPAnswer struct {
	Packet, Condition, Fulfilment string
	Version                       int
}

// ReceivedILPOffer is that of a packet that is there already. The text of its transaction counts as it stands, so that what
// another release of the library has written gives the fulfilment that release means.
func ReceivedILPOffer(text string) (*ILPOffer, error) {
	p, err := DecodeILPPacket(text)
	if err != nil {
		return nil, err
	}
	o := &ILPOffer{packet: p, text: text}
	if p.Version == ILPv4 {
		if o.transaction, err = p.transaction(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// NewILPOffer is that of a transaction for which a packet of the version is to be made. Invalid and TooLarge are its errors.
func NewILPOffer(version int, t *ILPTransaction) (*ILPOffer, error) {
	p := &ILPPacket{Version: version, Amount: t.amount, Data: base64url.AppendEncode(nil, t.text)}
	o := &ILPOffer{packet: p, transaction: t.text}
	var err error
	switch version {
	case ILPv1:
		p.Account, err = t.account()
	case ILPv4:
		p.Account = []byte(mojaloopAddress)
		p.ExpiresAt, err = t.expiration()
	default:
		err = fault.New(fault.Invalid, "version must be 1 or 4")
	}
	if err != nil {
		return nil, err
	}
	if text := p.Encode(); len(text) > maxILPPacket {
		return nil, fault.New(fault.TooLarge, "the packet would have more than the %d characters FSPIOP allows", maxILPPacket)
	} else if version == ILPv1 {
		o.text = text
	}
	return o, nil
}

// Version is that of the packet.
func (o *ILPOffer) Version() int { return o.packet.Version }

// Condition is the one that is in the packet already; false if there is none.
func (o *ILPOffer) Condition() ([]byte, bool) {
	return o.packet.Condition[:], o.packet.Version == ILPv4 && o.text != ""
}

// Input is the message whose HMAC-SHA-256 is the fulfilment. The API Definition knows packets of version 1 only.
func (o *ILPOffer) Input(reading ILPReading) ([]byte, error) {
	switch {
	case reading == ILPTextbook && o.packet.Version != ILPv1:
		return nil, fault.New(fault.Unsupported, "the FSP's policy is the text-book reading, which has packets of version 1 only")
	case reading == ILPTextbook:
		return o.packet.octets(), nil
	case o.packet.Version == ILPv1:
		return []byte(o.text), nil
	}
	return base64.StdEncoding.AppendEncode(nil, o.transaction), nil
}

// Answer completes the offer with the fulfilment's 32 octets.
func (o *ILPOffer) Answer(fulfilment []byte) *ILPAnswer {
	condition := sha256.Sum256(fulfilment)
	text := o.text
	if text == "" {
		made := *o.packet
		made.Condition = condition
		text = made.Encode()
	}
	return &ILPAnswer{
		Packet: text, Version: o.packet.Version,
		Condition: base64url.EncodeToString(condition[:]), Fulfilment: base64url.EncodeToString(fulfilment),
	}
}

// ILPReason is one word for why a fulfilment or a transfer is not right.
type ILPReason string

// The reasons why a fulfilment does not fit.
const (
	ILPFulfilmentMismatch  ILPReason = "fulfilment-mismatch"
	ILPFulfilmentMalformed ILPReason = "fulfilment-malformed"
	ILPConditionMalformed  ILPReason = "condition-malformed"
)

// VerifyILP says why the fulfilment does not fit the condition; nothing if it fits. Both are 43 characters of base64url. The
// condition must be the one text of its octets, since hubs compare texts; of the fulfilment the octets count, and the two bits
// left over at its end do not, since hubs do not look at them: what they settle must not be disputed here.
func VerifyILP(fulfilment, condition string) ILPReason {
	octets, ok := ilpDigest(fulfilment, base64.RawURLEncoding)
	if !ok {
		return ILPFulfilmentMalformed
	}
	want, ok := ilpDigest(condition, base64url)
	if !ok {
		return ILPConditionMalformed
	}
	if !ILPFits(octets, want) {
		return ILPFulfilmentMismatch
	}
	return ""
}

// ILPFits says in constant time whether the condition is the hash of the fulfilment.
func ILPFits(fulfilment, condition []byte) bool {
	sum := sha256.Sum256(fulfilment)
	return subtle.ConstantTimeCompare(sum[:], condition) == 1
}

// ILPCondition reads a condition.
func ILPCondition(text string) ([]byte, error) {
	octets, ok := ilpDigest(text, base64url)
	if !ok {
		return nil, fault.New(fault.Invalid, "a condition has 43 characters of base64url")
	}
	return octets, nil
}

// ilpDigest reads the 32 octets of a condition or fulfilment.
func ilpDigest(text string, encoding *base64.Encoding) ([]byte, bool) {
	if len(text) != encoding.EncodedLen(sha256.Size) {
		return nil, false
	}
	var octets [sha256.Size + 1]byte
	n, err := encoding.Decode(octets[:], []byte(text))
	return octets[:sha256.Size], err == nil && n == sha256.Size
}
