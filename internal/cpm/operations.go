package cpm

import (
	"strings"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// The operations of FSPIOP.
const (
	JWSSign        Operation = "jws.sign"
	JWSVerify      Operation = "jws.verify"
	JWEEncrypt     Operation = "jwe.encrypt"
	JWEDecrypt     Operation = "jwe.decrypt"
	MessageProtect Operation = "message.protect"
	MessageOpen    Operation = "message.open"
	ILPFulfil      Operation = "ilp.fulfil"
	ILPVerify      Operation = "ilp.verify"
	ILPDecode      Operation = "ilp.decode"
)

// The general operations.
const (
	Sign      Operation = "sign"
	Verify    Operation = "verify"
	Encrypt   Operation = "encrypt"
	Decrypt   Operation = "decrypt"
	Rewrap    Operation = "rewrap"
	MAC       Operation = "mac"
	MACVerify Operation = "mac.verify"
	Wrap      Operation = "wrap"
	Unwrap    Operation = "unwrap"
	Datakey   Operation = "datakey"
	Digest    Operation = "digest"
	Random    Operation = "random"
)

// Half says which part of a key an operation uses.
type Half uint8

// The halves.
const (
	NoKey       Half = iota
	PublicHalf       // the public half is enough
	PrivateHalf      // the private half, or a secret key
	EitherHalf       // the public half, or a secret key
)

// Row is what everybody knows of an operation; package operation holds what it does.
type Row struct {
	Operation Operation
	// Use is the use a key must have; empty without a key.
	Use KeyUse
	// Half is the part of the key that is needed.
	Half Half
	// Protect operations use the one current key; the others process with up to three keys, superseded ones too.
	Protect bool
	// Makes says of a message whether it wants something new made, for which the one current key is used unless a version is
	// named; nil where that does not depend on the message.
	Makes func(proto.Message) bool
	// Planned operations are carried out by the core as requests of other operations, and no adapter does them.
	Planned bool
	// General operations are done by an adapter only when its configuration says so.
	General bool
	// HardwareOnly operations never run in software.
	HardwareOnly bool
	// RetrySafe operations may be repeated on another device.
	RetrySafe bool
	// NewRequest and NewResponse make the operation's empty messages, the only definition of its shape.
	NewRequest, NewResponse func() proto.Message
}

// ByName says whether a grant must name the FSP: the operation uses its private or secret keys.
func (r Row) ByName() bool { return r.Half == PrivateHalf || r.Half == EitherHalf || r.Planned }

// Operations is the closed registry: one row each.
func Operations() []Row { return append(fspiopOperations(), generalOperations()...) }

func fspiopOperations() []Row {
	return []Row{
		{
			Operation: JWSSign, Use: UseSignature, Half: PrivateHalf, Protect: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.JwsSignRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.JwsSignResponse) },
		},
		{
			Operation: JWSVerify, Use: UseSignature, Half: PublicHalf, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.JwsVerifyRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.JwsVerifyResponse) },
		},
		{
			Operation: JWEEncrypt, Use: UseEncryption, Half: PublicHalf, Protect: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.JweEncryptRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.JweEncryptResponse) },
		},
		{
			Operation: JWEDecrypt, Use: UseEncryption, Half: PrivateHalf, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.JweDecryptRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.JweDecryptResponse) },
		},
		{
			Operation: MessageProtect, Planned: true,
			NewRequest:  func() proto.Message { return new(cpmv1.MessageProtectRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.MessageProtectResponse) },
		},
		{
			Operation: MessageOpen, Planned: true,
			NewRequest:  func() proto.Message { return new(cpmv1.MessageOpenRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.MessageOpenResponse) },
		},
		{
			Operation: ILPFulfil, Use: UseILP, Half: PrivateHalf, Makes: makesPacket, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.IlpFulfilRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.IlpFulfilResponse) },
		},
		{
			Operation: ILPVerify, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.IlpVerifyRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.IlpVerifyResponse) },
		},
		{
			Operation: ILPDecode, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.IlpDecodeRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.IlpDecodeResponse) },
		},
	}
}

func generalOperations() []Row {
	return []Row{
		{
			Operation: Sign, Use: UseDataSignature, Half: PrivateHalf, Protect: true, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.SignRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.SignResponse) },
		},
		{
			Operation: Verify, Use: UseDataSignature, Half: PublicHalf, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.VerifyRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.VerifyResponse) },
		},
		{
			Operation: Encrypt, Use: UseDataEncryption, Half: EitherHalf, Protect: true, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.EncryptRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.EncryptResponse) },
		},
		{
			Operation: Decrypt, Use: UseDataEncryption, Half: PrivateHalf, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.DecryptRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.DecryptResponse) },
		},
		{
			Operation: Rewrap, Use: UseDataEncryption, Half: PrivateHalf, Protect: true, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.RewrapRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.RewrapResponse) },
		},
		{
			Operation: MAC, Use: UseMAC, Half: PrivateHalf, Protect: true, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.MacRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.MacResponse) },
		},
		{
			Operation: MACVerify, Use: UseMAC, Half: PrivateHalf, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.MacVerifyRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.MacVerifyResponse) },
		},
		{
			Operation: Wrap, Use: UseWrap, Half: EitherHalf, Protect: true, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.WrapRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.WrapResponse) },
		},
		{
			Operation: Unwrap, Use: UseWrap, Half: PrivateHalf, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.UnwrapRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.UnwrapResponse) },
		},
		{
			Operation: Datakey, Use: UseDataEncryption, Half: EitherHalf, Protect: true, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.DatakeyRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.DatakeyResponse) },
		},
		{
			Operation: Digest, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.DigestRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.DigestResponse) },
		},
		{
			Operation: Random, General: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.RandomRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.RandomResponse) },
		},
	}
}

// Protects says whether a message is about the one current key.
func (r Row) Protects(m proto.Message) bool { return r.Protect || r.Makes != nil && r.Makes(m) }

// makesPacket tells a quote that is to be answered from one that was: that has a packet, a condition, or the version of the
// secret of then.
func makesPacket(m proto.Message) bool {
	q, ok := m.(*cpmv1.IlpFulfilRequest)
	return ok && q.GetIlpPacket() == "" && q.GetCondition() == "" && q.GetKey().GetVersion() == 0
}

// Path is the operation's path below /v1/fsps/{fsp}/: "jws.sign" is "jws/sign".
func (o Operation) Path() string { return strings.ReplaceAll(string(o), ".", "/") }

// Member is the operation's name as a member of ProcessRequest and ProcessResponse: "jws.sign" is "jws_sign".
func (o Operation) Member() string { return strings.ReplaceAll(string(o), ".", "_") }
