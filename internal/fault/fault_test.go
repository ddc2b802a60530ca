package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
)

// The table of docs/errors.md, written out once more so that a change of one is noticed.
func TestEveryKindHasItsRow(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"internal": "500 2001", "invalid": "400 3101", "missing": "400 3102", "too-large": "413 3104",
		"unauthenticated": "401 3000", "denied": "403 3000", "not-found": "404 3200", "conflict": "409 3106", "state": "409 3100",
		"not-routed": "422 2002", "unsupported": "501 2002", "refused": "400 3100", "device": "500 2001", "busy": "429 2005",
		"unavailable": "503 2003", "sealed": "503 2003", "audit-unavailable": "503 2003", "timeout": "504 2004",
		"outcome-unknown": "500 2001",
	}
	if len(Kinds()) != len(want) {
		t.Fatalf("%d kinds, %d rows expected", len(Kinds()), len(want))
	}
	for _, k := range Kinds() {
		c := k.Code()
		if got := fmt.Sprintf("%d %s", c.HTTP, c.FSPIOP); got != want[c.Name] {
			t.Errorf("%s: %s, want %s", c.Name, got, want[c.Name])
		}
		if c.Title == "" || c.GRPC == codes.OK || c.Exit < 1 || c.Exit > 6 {
			t.Errorf("%s: incomplete row %+v", c.Name, c)
		}
		if back, ok := KindNamed(c.Name); !ok || back != k {
			t.Errorf("%s is not found by its name", c.Name)
		}
	}
	if _, ok := KindNamed("nonsense"); ok {
		t.Error("a nonsense word is a kind")
	}
	if Kind(200).Code().Name != "internal" {
		t.Error("an unknown kind must be internal")
	}
}

func TestErrorsIsFindsKindAndCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("the database said no")
	err := fmt.Errorf("around: %w", New(NotFound, "no key %q", "jws").Because(cause).After(time.Second))
	if !errors.Is(err, NotFound) || !errors.Is(err, cause) || errors.Is(err, Denied) {
		t.Error("the chain is wrong")
	}
	e := From(err)
	if e.Kind != NotFound || e.Public != `no key "jws"` || e.RetryAfter != time.Second {
		t.Errorf("got %+v", e)
	}
	if text := e.Error(); !strings.Contains(text, "not-found") || !strings.Contains(text, "the database said no") {
		t.Errorf("the log text is %q", text)
	}
	if errors.Is(New(State, "x"), cause) || New(State, "x").Error() != "state: x" {
		t.Error("an error without a cause is wrong")
	}
}

func TestAForeignErrorIsInternalAndSaysNothing(t *testing.T) {
	t.Parallel()
	if From(nil) != nil {
		t.Error("nil is a fault")
	}
	e := From(errors.New("secret words"))
	body := protojson.Format(e.Message("r1"))
	if e.Kind != Internal || strings.Contains(body, "secret") || !strings.Contains(body, "2001") {
		t.Errorf("got %s", body)
	}
}

func TestInformationKeepsToTheLengthsOfFSPIOP(t *testing.T) {
	t.Parallel()
	e := New(Invalid, "%s", strings.Repeat("é", 200))
	i := e.Information()
	if n := len(i.GetErrorDescription()); n > 128 || n < 120 {
		t.Errorf("%d bytes", n)
	}
	if strings.ContainsRune(i.GetErrorDescription(), '\uFFFD') {
		t.Error("a character is cut in two")
	}
	if x := i.GetExtensionList().GetExtension(); len(x) != 1 || x[0].GetKey() != "kind" || x[0].GetValue() != "invalid" {
		t.Errorf("extension %v", x)
	}
	if New(Busy, "").Information().GetErrorDescription() != "Server busy" {
		t.Error("no text is shown as text")
	}
	s := SignatureInformation("signature-mismatch")
	if s.GetErrorCode() != "3105" || !strings.Contains(s.GetErrorDescription(), "signature-mismatch") {
		t.Errorf("got %v", s)
	}
}
