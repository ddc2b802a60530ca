package cpm

import (
	"strings"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// The operations.
const (
	JWSSign   Operation = "jws.sign"
	JWSVerify Operation = "jws.verify"
)

// Row is what everybody knows of an operation; package operation holds what it does.
type Row struct {
	Operation Operation
	// Use is the use a key must have.
	Use KeyUse
	// Protect operations use the private or secret half of the one current key; the others process with up to three keys.
	Protect bool
	// HardwareOnly operations never run in software.
	HardwareOnly bool
	// RetrySafe operations may be repeated on another device.
	RetrySafe bool
	// NewRequest and NewResponse make the operation's empty messages, the only definition of its shape.
	NewRequest, NewResponse func() proto.Message
}

// Operations is the closed registry: one row each.
func Operations() []Row {
	return []Row{
		{
			Operation: JWSSign, Use: UseSignature, Protect: true, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.JwsSignRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.JwsSignResponse) },
		},
		{
			Operation: JWSVerify, Use: UseSignature, RetrySafe: true,
			NewRequest:  func() proto.Message { return new(cpmv1.JwsVerifyRequest) },
			NewResponse: func() proto.Message { return new(cpmv1.JwsVerifyResponse) },
		},
	}
}

// Path is the operation's path below /v1/fsps/{fsp}/: "jws.sign" is "jws/sign".
func (o Operation) Path() string { return strings.ReplaceAll(string(o), ".", "/") }

// Member is the operation's name as a member of ProcessRequest and ProcessResponse: "jws.sign" is "jws_sign".
func (o Operation) Member() string { return strings.ReplaceAll(string(o), ".", "_") }
