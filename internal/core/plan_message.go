package core

import (
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// carry performs the plan of the request's operation.
func (p *plan) carry(ctx context.Context) (proto.Message, error) {
	switch p.request.Operation {
	case cpm.MessageProtect:
		return planned(ctx, p, p.protect, new(cpmv1.MessageProtectRequest))
	case cpm.MessageOpen:
		return planned(ctx, p, p.open, new(cpmv1.MessageOpenRequest))
	}
	return nil, fault.New(fault.Unsupported, "the operation has no plan")
}

// planned performs a plan over the operation's own message.
func planned[Q, A proto.Message](ctx context.Context, p *plan, carry func(context.Context, Q) (A, error), fresh Q) (proto.Message, error) {
	q, err := cpm.Decode(p.request.Payload, fresh)
	if err != nil {
		return nil, err
	}
	return carry(ctx, q)
}

// protect encrypts what the sender's policy wants for the recipient, and then signs, so that the signature covers what is
// sent (FSPIOP Encryption v1.1, section 4.1).
func (p *plan) protect(ctx context.Context, q *cpmv1.MessageProtectRequest) (*cpmv1.MessageProtectResponse, error) {
	out := &cpmv1.MessageProtectResponse{Headers: map[string]string{}}
	body, headers := contentOf(q), q.GetHeaders()
	sealed, err := p.encrypt(ctx, q)
	if err != nil {
		return nil, err
	}
	if sealed != nil {
		body.bytes = contentOf(sealed).bytes
		headers = maps.Clone(headers)
		maps.Copy(headers, sealed.GetHeaders())
		maps.Copy(out.Headers, sealed.GetHeaders())
		out.Fields, out.EncryptionKey = sealed.encrypted, sealed.GetKey()
	}
	s := &cpmv1.JwsSignRequest{Method: q.GetMethod(), Uri: q.GetUri(), Headers: headers, Form: q.GetForm(), Key: q.GetKey()}
	body.into(s)
	signed, _, err := step[*cpmv1.JwsSignResponse](ctx, p, "sign", p.request.FSP, cpm.JWSSign, s)
	if err != nil {
		return nil, err
	}
	maps.Copy(out.Headers, signed.GetHeaders())
	out.Algorithm, out.Key = signed.GetAlgorithm(), signed.GetKey()
	body.bytes = contentOf(signed).bytes
	body.into(out)
	return out, nil
}

// sealedMessage is the answer of the step that encrypts, with the fields it was given.
type sealedMessage struct {
	*cpmv1.JweEncryptResponse

	encrypted []string
}

// encrypt has the fields encrypted that the policy wants; nil when it wants none of those the body has.
func (p *plan) encrypt(ctx context.Context, q *cpmv1.MessageProtectRequest) (*sealedMessage, error) {
	to := header(q, headerDestination)
	w := subjectOf(q.GetMethod(), q.GetUri(), to).wants(p.fsp.Policy.Encryption.Send)
	if len(w.fields) == 0 {
		return nil, nil
	}
	switch {
	case to == "":
		return nil, fault.New(fault.Missing, "the header fspiop-destination is missing: the FSP's policy has fields of this message encrypted for the recipient")
	case header(q, headerEncryption) != "":
		return nil, fault.New(fault.Invalid, "the message has a header fspiop-encryption already; give it as it is before encryption")
	}
	body := contentOf(q)
	d, err := body.document()
	if err != nil {
		return nil, err
	}
	if err = w.checkRequired(d); err != nil {
		return nil, err
	}
	fields, err := there(d, w.fields)
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	e := &cpmv1.JweEncryptRequest{Fields: fields, Encryption: w.algorithm}
	body.into(e)
	sealed, _, err := step[*cpmv1.JweEncryptResponse](ctx, p, "encrypt", cpm.FSP(to), cpm.JWEEncrypt, e)
	if err != nil {
		return nil, err
	}
	return &sealedMessage{sealed, fields}, nil
}

// open verifies as the sender, and decrypts as the recipient only what was signed (FSPIOP Encryption v1.1, section 4.2).
func (p *plan) open(ctx context.Context, q *cpmv1.MessageOpenRequest) (*cpmv1.MessageOpenResponse, error) {
	from, to := header(q, headerSource), header(q, headerDestination)
	if from == "" {
		return nil, fault.New(fault.Missing, "the header fspiop-source is missing")
	}
	if to != "" && to != string(p.request.FSP) {
		p.refused = string(fspiop.ReasonDestinationMismatch)
		return notOpened(p.refused, fault.SignatureInformation(p.refused)), nil
	}
	v := &cpmv1.JwsVerifyRequest{Method: q.GetMethod(), Uri: q.GetUri(), Headers: q.GetHeaders()}
	body := contentOf(q)
	body.into(v)
	verdict, done, err := step[*cpmv1.JwsVerifyResponse](ctx, p, "verify", cpm.FSP(from), cpm.JWSVerify, v)
	if err != nil {
		return nil, err
	}
	if !verdict.GetValid() {
		return notOpened(verdict.GetReason(), verdict.GetErrorInformation()), nil
	}
	out, err := p.decrypt(ctx, q, cpm.FSP(from))
	if err != nil {
		// The caller learns no verdict, and may ask again.
		p.core.replays.forget(replayKey(&cpm.Request{Caller: p.request.Caller, FSP: cpm.FSP(from)}, done.SigningInput))
		return nil, err
	}
	out.Valid, out.Form, out.Algorithm, out.Key = proto.Bool(true), verdict.GetForm(), verdict.GetAlgorithm(), verdict.GetKey()
	return out, nil
}

func notOpened(reason string, information *cpmv1.ErrorInformation) *cpmv1.MessageOpenResponse {
	return &cpmv1.MessageOpenResponse{Valid: proto.Bool(false), Reason: reason, ErrorInformation: information}
}

// decrypt has a verified message decrypted if fields of it are encrypted, and checks that those are which the recipient's
// policy wants.
func (p *plan) decrypt(ctx context.Context, q *cpmv1.MessageOpenRequest, from cpm.FSP) (*cpmv1.MessageOpenResponse, error) {
	out, body := &cpmv1.MessageOpenResponse{}, contentOf(q)
	if header(q, headerEncryption) != "" {
		d := &cpmv1.JweDecryptRequest{Headers: q.GetHeaders(), Key: q.GetKey()}
		body.into(d)
		opened, _, err := step[*cpmv1.JweDecryptResponse](ctx, p, "decrypt", p.request.FSP, cpm.JWEDecrypt, d)
		if err != nil {
			return nil, err
		}
		body.bytes, out.Fields, out.EncryptionKey = contentOf(opened).bytes, opened.GetFields(), opened.GetKey()
	}
	w := subjectOf(q.GetMethod(), q.GetUri(), string(from)).wants(p.fsp.Policy.Encryption.Receive)
	if err := w.checkReceived(body, out.GetFields()); err != nil {
		return nil, err
	}
	body.into(out)
	return out, nil
}

// checkReceived declines a message that has a field in clear which the policy wants encrypted, or lacks a required one.
func (w wanted) checkReceived(body content, encrypted []string) error {
	if len(w.fields) == 0 {
		return nil
	}
	d, err := body.document()
	if err != nil {
		return err
	}
	found, err := there(d, w.fields)
	if err != nil {
		return err
	}
	inClear := slices.DeleteFunc(found, func(f string) bool { return inside(f, encrypted) })
	if len(inClear) > 0 {
		return fault.New(fault.Missing, "not encrypted, as the FSP's policy wants it: %s", strings.Join(inClear, ", "))
	}
	return w.checkRequired(d)
}
