package operation

import (
	"context"
	"encoding/base64"
	"strconv"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// ILPSecret is the handle of a secret of use ilp. A token supplies it with an HMAC key for each reading it is to serve (C_Sign);
// fspiop.ILPKey says which bytes that key has.
type ILPSecret interface {
	Key
	// Fulfil is the HMAC-SHA-256 of the message. Errors are faults, Device mostly.
	Fulfil(reading fspiop.ILPReading, message []byte) ([]byte, error)
}

// ilpFulfil gives packet, condition and fulfilment.
func ilpFulfil(ctx context.Context, e *Engine, r *cpm.Request, q *cpmv1.IlpFulfilRequest) (*cpm.Result, error) {
	offer, err := ilpOffer(q)
	if err != nil {
		return nil, err
	}
	reading := fspiop.ILPDeployed
	if r.Policy != nil && r.Policy.TextbookILP {
		reading = fspiop.ILPTextbook
	}
	message, err := offer.Input(reading)
	if err != nil {
		return nil, err
	}
	want, err := wantedCondition(offer, q.GetCondition())
	if err != nil {
		return nil, err
	}
	handles, err := e.handles(ctx, r)
	if err != nil {
		return nil, err
	}
	for i, h := range handles {
		fulfilment, err := fulfil(h, reading, message)
		if err != nil {
			return nil, err
		}
		if want == nil || fspiop.ILPFits(fulfilment, want) {
			return ilpResult(offer.Answer(fulfilment), r.Keys[i]), nil
		}
	}
	return nil, fault.New(fault.State,
		"none of the FSP's secrets that may be used now gives the condition; name key and version if it was an older one")
}

func fulfil(h Key, reading fspiop.ILPReading, message []byte) ([]byte, error) {
	secret, ok := h.(ILPSecret)
	if !ok {
		return nil, fault.New(fault.State, "the key is no secret that fulfilments are derived from")
	}
	return secret.Fulfil(reading, message)
}

func ilpResult(a *fspiop.ILPAnswer, ref cpm.KeyRef) *cpm.Result {
	return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.IlpFulfilResponse{
		IlpPacket: a.Packet, Condition: a.Condition, Fulfilment: a.Fulfilment,
		Version: uint32(a.Version), KeyVersion: ref.Version, Key: identity(ref), //nolint:gosec // 1 or 4
	}}}
}

// ilpOffer reads what the fulfilment is asked of.
func ilpOffer(q *cpmv1.IlpFulfilRequest) (*fspiop.ILPOffer, error) {
	if text := q.GetIlpPacket(); text != "" {
		o, err := fspiop.ReceivedILPOffer(text)
		if err == nil && q.GetVersion() != 0 && uint64(q.GetVersion()) != uint64(o.Version()) { //nolint:gosec // 1 or 4
			return nil, fault.New(fault.Invalid, "the packet has another version than the request says")
		}
		return o, err
	}
	t, err := ilpTransaction(q)
	if err != nil {
		return nil, err
	}
	version := fspiop.ILPv1
	if q.GetVersion() != 0 {
		version = int(q.GetVersion())
	}
	return fspiop.NewILPOffer(version, t)
}

func ilpTransaction(q *cpmv1.IlpFulfilRequest) (*fspiop.ILPTransaction, error) {
	form := fspiop.FormSorted
	switch q.GetForm() {
	case "", string(fspiop.FormSorted):
	case string(fspiop.FormLegacy):
		form = fspiop.FormLegacy
	default:
		return nil, fault.New(fault.Invalid, "form must be sorted or legacy")
	}
	switch from := q.GetFrom().(type) {
	case *cpmv1.IlpFulfilRequest_Transaction:
		return fspiop.NewILPTransaction([]byte(from.Transaction), form)
	case *cpmv1.IlpFulfilRequest_Quote:
		return fspiop.QuotedILPTransaction([]byte(from.Quote.GetRequest()), []byte(from.Quote.GetResponse()), form)
	case *cpmv1.IlpFulfilRequest_FxQuote:
		return fspiop.QuotedILPConversion([]byte(from.FxQuote.GetRequest()), []byte(from.FxQuote.GetResponse()), form)
	}
	return nil, fault.New(fault.Missing, "give one of ilpPacket, transaction, quote and fxQuote")
}

// wantedCondition is the condition the fulfilment must have; nil if any will do.
func wantedCondition(o *fspiop.ILPOffer, given string) ([]byte, error) {
	inside, ok := o.Condition()
	if given == "" {
		if ok {
			return inside, nil
		}
		return nil, nil
	}
	want, err := fspiop.ILPCondition(given)
	if err == nil && ok && string(want) != string(inside) {
		return nil, fault.New(fault.Invalid, "the packet has another condition inside than the request gives")
	}
	return want, err
}

// ilpVerify judges a fulfilment. No key is needed.
func ilpVerify(_ context.Context, _ *Engine, _ *cpm.Request, q *cpmv1.IlpVerifyRequest) (*cpm.Result, error) {
	if q.GetFulfilment() == "" || q.GetCondition() == "" {
		return nil, fault.New(fault.Missing, "fulfilment and condition must be given")
	}
	reason := fspiop.VerifyILP(q.GetFulfilment(), q.GetCondition())
	return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.IlpVerifyResponse{
		Valid: proto.Bool(reason == ""), Reason: string(reason),
	}}}, nil
}

// ilpDecode says what is in a packet, and whether a transfer agrees with it. No key is needed.
func ilpDecode(_ context.Context, _ *Engine, _ *cpm.Request, q *cpmv1.IlpDecodeRequest) (*cpm.Result, error) {
	p, err := fspiop.DecodeILPPacket(q.GetIlpPacket())
	if err != nil {
		return nil, err
	}
	out := ilpContent(p)
	if transfer := q.GetTransfer(); transfer != "" {
		reason, err := fspiop.ILPDisagreement(q.GetIlpPacket(), p, []byte(transfer))
		if err != nil {
			return nil, err
		}
		out.Agrees, out.Reason = proto.Bool(reason == ""), string(reason)
	}
	return &cpm.Result{Payload: cpm.Payload{Message: out}}, nil
}

func ilpContent(p *fspiop.ILPPacket) *cpmv1.IlpDecodeResponse {
	out := &cpmv1.IlpDecodeResponse{
		Version: uint32(p.Version), Amount: strconv.FormatUint(p.Amount, 10), Account: p.AccountText(), //nolint:gosec // 1 or 4
	}
	if p.Version == fspiop.ILPv4 {
		out.ExpiresAt = p.ExpiresAt.Format("2006-01-02T15:04:05.000Z07:00")
		out.Condition = base64.RawURLEncoding.EncodeToString(p.Condition[:])
	}
	if text, ok := p.Transaction(); ok {
		out.Transaction = string(text)
	} else {
		out.Data = p.Data
	}
	return out
}
