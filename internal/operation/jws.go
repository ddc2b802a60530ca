package operation

import (
	"context"
	"crypto"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// jwsSign makes the FSPIOP-Signature of a message.
func jwsSign(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.JwsSignRequest) (*cpm.Result, error) {
	form, err := signForm(q.GetForm())
	if err != nil {
		return nil, err
	}
	key, err := e.one(ctx, r)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fault.New(fault.State, "only the public half of this key is held")
	}
	algorithm, ok := fspiop.AlgorithmNamed(key.Algorithm())
	if !ok {
		return nil, fault.New(fault.State, "the key's algorithm is not known")
	}
	m := &fspiop.Message{Method: q.GetMethod(), URI: q.GetUri(), Headers: q.GetHeaders(), Body: content(q)}
	signed, err := fspiop.Sign(e.rand, signer, algorithm, string(r.FSP), m, form)
	if err != nil {
		return nil, err
	}
	return &cpm.Result{Payload: cpm.Payload{Message: signResponse(q, signed, r.Keys[0])}}, nil
}

func signForm(form string) (fspiop.Form, error) {
	switch form {
	case "", string(fspiop.FormSorted):
		return fspiop.FormSorted, nil
	case string(fspiop.FormRaw):
		return fspiop.FormRaw, nil
	}
	return "", fault.New(fault.Invalid, "form must be sorted or raw")
}

// signResponse gives the body back the way it came: as text, or as bytes.
func signResponse(q *cpmv1.JwsSignRequest, s *fspiop.Signed, ref cpm.KeyRef) *cpmv1.JwsSignResponse {
	out := &cpmv1.JwsSignResponse{
		Headers: s.Headers, Algorithm: s.Algorithm, KeyVersion: ref.Version, Key: identity(ref),
	}
	if _, bytes := q.GetContent().(*cpmv1.JwsSignRequest_BodyBase64); bytes || !utf8.Valid(s.Body) {
		out.Content = &cpmv1.JwsSignResponse_BodyBase64{BodyBase64: s.Body}
	} else {
		out.Content = &cpmv1.JwsSignResponse_Body{Body: string(s.Body)}
	}
	return out
}

// jwsVerify judges the FSPIOP-Signature of a message. A signature that does not verify is a result.
func jwsVerify(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.JwsVerifyRequest) (*cpm.Result, error) {
	handles, err := e.handles(ctx, r)
	if err != nil {
		return nil, err
	}
	keys := make([]fspiop.Key, len(handles))
	for i, h := range handles {
		keys[i] = fspiop.Key{Public: h.Public()}
	}
	m := &fspiop.Message{Method: q.GetMethod(), URI: q.GetUri(), Headers: q.GetHeaders(), Body: content(q)}
	v := fspiop.Verify(keys, string(r.FSP), m, r.Policy, e.now())
	if v.Reason == fspiop.ReasonKeyUnknown && r.Unusable {
		v.Reason = fspiop.ReasonKeyNotUsable
	}
	if !v.Valid {
		return &cpm.Result{Payload: cpm.Payload{Message: Invalid(v.Reason)}, Cause: v.Cause}, nil
	}
	ref := r.Keys[v.Key]
	return &cpm.Result{SigningInput: v.SigningInput, Payload: cpm.Payload{Message: &cpmv1.JwsVerifyResponse{
		Valid: proto.Bool(true), Form: string(v.Form), Algorithm: v.Algorithm, KeyVersion: ref.Version, Key: identity(ref),
	}}}, nil
}

// Invalid is the verdict on a signature that does not verify.
func Invalid(reason fspiop.Reason) *cpmv1.JwsVerifyResponse {
	return &cpmv1.JwsVerifyResponse{
		Valid: proto.Bool(false), Reason: string(reason), ErrorInformation: fault.SignatureInformation(string(reason)),
	}
}

func identity(ref cpm.KeyRef) *cpmv1.KeyIdentity {
	return &cpmv1.KeyIdentity{Id: ref.ID.String(), Name: ref.Name, Version: ref.Version}
}

// content is the body of a message, whichever member it came in.
func content(m interface {
	GetBody() string
	GetBodyBase64() []byte
},
) []byte {
	if b := m.GetBodyBase64(); len(b) > 0 {
		return b
	}
	return []byte(m.GetBody())
}
