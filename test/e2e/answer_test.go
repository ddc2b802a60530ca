package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
	"google.golang.org/protobuf/proto"
)

// answer is what a caller got, whichever way it came.
type answer struct {
	// status is that of HTTP; 0 where there is none.
	status int
	// kind is the kind of a decline, reason why a signature does not count; a good answer has neither.
	kind, code, reason string
	requestID          string
	// valid is the verdict of a verification that was answered.
	valid *bool
	// raw is everything that came.
	raw []byte
}

func (a answer) String() string {
	return fmt.Sprintf("status %d kind %q code %q reason %q", a.status, a.kind, a.code, a.reason)
}

func (a answer) good() bool { return a.kind == "" && a.reason == "" }

// decline is the body of a decline.
type decline struct {
	ErrorInformation errorInformation `json:"errorInformation"`
	RequestID        string           `json:"requestId"`
}

type errorInformation struct {
	ErrorCode        string `json:"errorCode"`
	ErrorDescription string `json:"errorDescription"`
	ExtensionList    struct {
		Extension []struct{ Key, Value string } `json:"extension"`
	} `json:"extensionList"`
}

// maxDescription is the length of an ErrorDescription (API Definition v1.1, section 7.2.10).
const maxDescription = 128

// kind finds the word to program against, and judges the shape.
func (e errorInformation) kind() (string, error) {
	word := ""
	for _, x := range e.ExtensionList.Extension {
		if x.Key == "kind" {
			word = x.Value
		}
	}
	kind, known := fault.KindNamed(word)
	switch {
	case !known:
		return word, fmt.Errorf("the kind %q is not known", word)
	case len(e.ErrorDescription) > maxDescription:
		return word, fmt.Errorf("the description has %d bytes", len(e.ErrorDescription))
	case e.ErrorCode != "3000" && !strings.HasPrefix(e.ErrorDescription, kind.Code().Title+" - "):
		return word, fmt.Errorf("the description does not begin with the title of %s", e.ErrorCode)
	}
	return word, nil
}

// verdict is an answer of jws/verify.
type verdict struct {
	Valid            *bool             `json:"valid"`
	Form             string            `json:"form"`
	Algorithm        string            `json:"algorithm"`
	KeyVersion       int               `json:"keyVersion"`
	Key              *keyIdentity      `json:"key"`
	Reason           string            `json:"reason"`
	ErrorInformation *errorInformation `json:"errorInformation"`
}

// signed is an answer of jws/sign.
type signed struct {
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
	BodyBase64 []byte            `json:"bodyBase64"`
	Algorithm  string            `json:"algorithm"`
	KeyVersion int               `json:"keyVersion"`
	Key        *keyIdentity      `json:"key"`
}

type keyIdentity struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// readDecline reads the body of a decline.
func readDecline(text []byte) (answer, error) {
	var d decline
	if err := strict(text, &d); err != nil {
		return answer{}, err
	}
	kind, err := d.ErrorInformation.kind()
	if err == nil && d.RequestID == "" {
		err = errors.New("there is no request id")
	}
	return answer{kind: kind, code: d.ErrorInformation.ErrorCode, requestID: d.RequestID, raw: text}, err
}

// readResult reads the body of a good answer or a verdict.
func readResult(operation string, text []byte) (answer, error) {
	if operation == "sign" {
		var s signed
		err := strict(text, &s)
		if err == nil && (s.Headers["fspiop-signature"] == "" || s.KeyVersion == 0 || s.Key == nil) {
			err = errors.New("the signed message lacks something")
		}
		return answer{raw: text}, err
	}
	var v verdict
	if err := strict(text, &v); err != nil {
		return answer{}, err
	}
	return v.answer(text)
}

func (v verdict) answer(text []byte) (answer, error) {
	a := answer{valid: v.Valid, reason: v.Reason, raw: text}
	switch {
	case v.Valid == nil:
		return a, errors.New("there is no verdict")
	case *v.Valid && (v.Reason != "" || v.Form == "" || v.Algorithm == "" || v.KeyVersion == 0 || v.Key == nil):
		return a, errors.New("a good verdict lacks something, or has a reason")
	case *v.Valid:
		return a, nil
	case v.Reason == "" || v.ErrorInformation == nil || v.Form+v.Algorithm != "" || v.Key != nil:
		return a, errors.New("a bad verdict lacks its reason, or says more")
	}
	a.code = v.ErrorInformation.ErrorCode
	return a, nil
}

// strict reads one JSON value without unknown members.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("the answer has not the documented shape: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the answer")
	}
	return nil
}

// readMessage reads a result as gRPC has it.
func readMessage(r *cpmv1.ProcessResponse) (answer, error) {
	raw, err := proto.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	switch r := r.GetResult().(type) {
	case *cpmv1.ProcessResponse_Error:
		return readError(r.Error, raw)
	case *cpmv1.ProcessResponse_JwsSign:
		if r.JwsSign.GetHeaders()["fspiop-signature"] == "" {
			err = errors.New("the signed message lacks the signature")
		}
		return answer{raw: raw}, err
	case *cpmv1.ProcessResponse_JwsVerify:
		v := r.JwsVerify
		a := answer{raw: raw, valid: v.Valid, reason: v.GetReason(), code: v.GetErrorInformation().GetErrorCode()} //nolint:protogetter // nil is a fault here
		if v.Valid == nil || v.GetValid() != (v.GetReason() == "") {
			err = errors.New("there is no clear verdict")
		}
		return a, err
	}
	return answer{}, errors.New("the answer is empty")
}

// readError reads a decline as gRPC has it.
func readError(e *cpmv1.Error, raw []byte) (answer, error) {
	i := e.GetErrorInformation()
	a := answer{code: i.GetErrorCode(), requestID: e.GetRequestId(), raw: raw}
	at := slices.IndexFunc(i.GetExtensionList().GetExtension(), func(x *cpmv1.Extension) bool { return x.GetKey() == "kind" })
	if at < 0 || a.requestID == "" {
		return a, errors.New("the decline lacks its kind or the request id")
	}
	a.kind = i.GetExtensionList().GetExtension()[at].GetValue()
	return a, nil
}
