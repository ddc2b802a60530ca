package api

import (
	"testing"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// What a request weighs is what is counted against the bytes in flight.
func TestTextsOfILPHaveTheirWeight(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits()
	for _, m := range []proto.Message{
		&cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_IlpPacket{IlpPacket: "12345"}},
		&cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_Transaction{Transaction: "12345"}},
		&cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_Quote{Quote: &cpmv1.IlpQuote{Request: "123", Response: "45"}}},
		&cpmv1.IlpFulfilRequest{From: &cpmv1.IlpFulfilRequest_FxQuote{FxQuote: &cpmv1.IlpQuote{Request: "123", Response: "45"}}},
		&cpmv1.IlpDecodeRequest{IlpPacket: "123", Transfer: "45"},
	} {
		if size, e := limits.inspect(m); e != nil || size != envelope+5 {
			t.Errorf("%v: %d %v", m, size, e)
		}
	}
}
