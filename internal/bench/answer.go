package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// headerSignature is the header every answer to a signing has.
const headerSignature = "fspiop-signature"

var (
	errNoAnswer    = errors.New("the answer has neither a result nor an error")
	errNoSignature = errors.New("the answer has no fspiop-signature")
)

// markOf is the text of a JSON answer that stands once for each operation that succeeded. It cannot occur inside a string,
// where its quotes would be escaped.
func markOf(operation string) []byte {
	if operation == opVerify {
		return []byte(`"valid":true`)
	}
	return []byte(`"` + headerSignature + `"`)
}

// judge looks at one decoded answer: nil means that the operation succeeded.
func judge(operation string, answer *cpmv1.ProcessResponse) error {
	if e := answer.GetError(); e != nil {
		return declined(e)
	}
	if operation == opVerify {
		return judgeVerdict(answer.GetJwsVerify())
	}
	switch signed := answer.GetJwsSign(); {
	case signed == nil:
		return errNoAnswer
	case signed.GetHeaders()[headerSignature] == "":
		return errNoSignature
	}
	return nil
}

func judgeVerdict(verdict *cpmv1.JwsVerifyResponse) error {
	switch {
	case verdict == nil:
		return errNoAnswer
	case !verdict.GetValid():
		return fmt.Errorf("a signature of the server's own does not verify: %q", verdict.GetReason())
	}
	return nil
}

// judgeAll judges the answers to a batch: how many operations failed, and the first reason.
func judgeAll(operation string, want int, answers []*cpmv1.ProcessResponse) (int, error) {
	if len(answers) != want {
		return want, fmt.Errorf("a batch of %d has %d answers", want, len(answers))
	}
	failed := 0
	var first error
	for _, a := range answers {
		if err := judge(operation, a); err != nil {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	return failed, first
}

// declined is an answer that is an error, with the words of the server.
func declined(e *cpmv1.Error) error {
	info := e.GetErrorInformation()
	return fmt.Errorf("declined: %s %q", info.GetErrorCode(), info.GetErrorDescription())
}

// declinedHTTP is an HTTP answer other than 200.
func declinedHTTP(code int, body []byte) error {
	e := new(cpmv1.Error)
	if err := lenient().Unmarshal(body, e); err != nil || e.GetErrorInformation() == nil {
		return fmt.Errorf("declined: HTTP %d %s", code, http.StatusText(code))
	}
	return fmt.Errorf("HTTP %d, %w", code, declined(e))
}

// declinedGRPC is a failed call, with the details the server gave.
func declinedGRPC(err error) error {
	s := status.Convert(err)
	for _, d := range s.Details() {
		if e, ok := d.(*cpmv1.Error); ok {
			return fmt.Errorf("gRPC %s, %w", s.Code(), declined(e))
		}
	}
	return fmt.Errorf("gRPC %s: %q", s.Code(), s.Message())
}

// lenient decodes the server's JSON: a newer server may say more.
func lenient() protojson.UnmarshalOptions { return protojson.UnmarshalOptions{DiscardUnknown: true} }

// parseOne decodes the JSON answer to a single operation.
func parseOne(operation string, text []byte) (*cpmv1.ProcessResponse, error) {
	if operation == opVerify {
		verdict := new(cpmv1.JwsVerifyResponse)
		err := unmarshal(text, verdict)
		return &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_JwsVerify{JwsVerify: verdict}}, err
	}
	signed := new(cpmv1.JwsSignResponse)
	err := unmarshal(text, signed)
	return &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_JwsSign{JwsSign: signed}}, err
}

// parseBatch decodes the JSON answer to a batch.
func parseBatch(text []byte) (*cpmv1.BatchResponse, error) {
	batch := new(cpmv1.BatchResponse)
	return batch, unmarshal(text, batch)
}

func unmarshal(text []byte, m proto.Message) error {
	if err := lenient().Unmarshal(text, m); err != nil {
		return errors.New("the answer is not the JSON it should be")
	}
	return nil
}

// scan counts the operations of a JSON answer that succeeded, without decoding it.
func scan(text, mark []byte) int {
	if len(mark) == 0 {
		return 0
	}
	return bytes.Count(text, mark)
}
