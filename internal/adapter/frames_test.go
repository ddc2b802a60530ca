package adapter

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

func TestAnAdaptersWordsAreJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer *cpmv1.Answer
		kind   fault.Kind
		text   string
	}{
		"its own text":           {&cpmv1.Answer{Fault: "state", Text: "suspended"}, fault.State, "suspended"},
		"control characters":     {&cpmv1.Answer{Fault: "busy", Text: "a\x1b[2J"}, fault.Busy, constantText(fault.Busy)},
		"too long":               {&cpmv1.Answer{Fault: "refused", Text: strings.Repeat("a", 257)}, fault.Refused, constantText(fault.Refused)},
		"no text":                {&cpmv1.Answer{Fault: "timeout"}, fault.Timeout, constantText(fault.Timeout)},
		"a kind of the core":     {&cpmv1.Answer{Fault: "denied", Text: "no"}, fault.Device, constantText(fault.Device)},
		"no kind at all":         {&cpmv1.Answer{Fault: "x", Text: "no"}, fault.Device, constantText(fault.Device)},
		"another operation":      {&cpmv1.Answer{Operation: "jws.verify"}, fault.Device, "the adapter answered another operation than it was asked for"},
		"key not held, no fault": {&cpmv1.Answer{KeyNotHeld: true, Operation: "jws.sign"}, fault.Unavailable, "the adapter does not hold the key"},
	} {
		_, err := resultOf(c.answer, cpm.JWSSign)
		if e := fault.From(err); err == nil || e.Kind != c.kind || e.Public != c.text {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := resultOf(&cpmv1.Answer{Fault: "device", Cause: strings.Repeat("c", 5000)}, cpm.JWSSign)
	if n := len(fault.From(err).Cause().Error()); n != maxCause {
		t.Errorf("a cause of %d bytes", n)
	}
}

func TestEveryKindHasAPrintableText(t *testing.T) {
	t.Parallel()
	for _, k := range fault.Kinds() {
		if !printable(constantText(k)) {
			t.Errorf("%v", k)
		}
	}
}

func TestAKeySealedForOneSessionOpensOnNoOther(t *testing.T) {
	t.Parallel()
	private, err := newKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	m := cpm.Material{Ref: cpm.KeyRef{ID: cpm.KeyID{1}, Name: "jws", Version: 1}, Algorithm: "RS256", Use: cpm.UseSignature, Private: secret.Take([]byte("bytes"))}
	sealed, err := sealKey(private.PublicKey(), fakeSession("one"), m)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := openKey(private, fakeSession("one"), m, sealed); err != nil || !opened.Equal(m.Private) {
		t.Errorf("its own session: %v", err)
	}
	_, err = openKey(private, fakeSession("two"), m, sealed)
	kind(t, err, fault.Refused)
	for name, change := range map[string]func(*cpm.Material){
		"id": func(m *cpm.Material) { m.Ref.ID[0]++ }, "version": func(m *cpm.Material) { m.Ref.Version++ },
		"name": func(m *cpm.Material) { m.Ref.Name = "x" }, "use": func(m *cpm.Material) { m.Use = cpm.UseEncryption },
		"algorithm": func(m *cpm.Material) { m.Algorithm = "ES256" },
	} {
		other := m
		change(&other)
		if _, err := openKey(private, fakeSession("one"), other, sealed); !errors.Is(err, fault.Refused) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ours, theirs Versions
		want         uint32
	}{
		{Versions{1, 1}, Versions{1, 2}, 1},
		{Versions{2, 3}, Versions{1, 2}, 2},
		{Versions{1, 1}, Versions{2, 2}, 0},
		{Versions{2, 2}, Versions{1, 1}, 0},
		{Versions{1, 1}, Versions{}, 0},
	} {
		v, err := c.ours.common(&cpmv1.Hello{VersionMin: c.theirs.Min, VersionMax: c.theirs.Max})
		if v != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%v with %v: %d %v", c.ours, c.theirs, v, err)
		}
	}
	if _, err := (Versions{1, 1}).common(nil); !errors.Is(err, fault.Invalid) {
		t.Errorf("no greeting: %v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, a := range []*cpmv1.Answer{{}, {Operation: "jws.sign", Payload: []byte("x")}, {Fault: "busy", Text: "\n"}, {KeyNotHeld: true}} {
		b, _ := proto.Marshal(a)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a cpmv1.Answer
		if proto.Unmarshal(b, &a) != nil {
			return
		}
		r, err := resultOf(&a, cpm.JWSSign)
		if (r == nil) == (err == nil) {
			t.Fatal("neither or both")
		}
		if e := fault.From(err); err != nil && (!answerable(e.Kind) || !printable(e.Public)) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzAsk(f *testing.F) {
	for _, a := range []*cpmv1.Ask{{}, {Operation: "jws.sign", Caller: "san:x", Keys: []*cpmv1.LinkKey{{Id: make([]byte, 16)}}}, {Keys: []*cpmv1.LinkKey{{}}}} {
		b, _ := proto.Marshal(a)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a cpmv1.Ask
		if proto.Unmarshal(b, &a) != nil {
			return
		}
		r, err := requestOf(&a, time.Time{})
		if err == nil && (len(r.Keys) != len(a.GetKeys()) || r.Size < 0) {
			t.Errorf("%+v", r)
		}
	})
}

func TestAnAnswerSaysAcrossALinkWhenToAskAgain(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{
		0:                      0,
		250 * time.Millisecond: 250 * time.Millisecond,
		time.Hour:              maxRetryAfter,
		-time.Second:           0,
	} {
		answer := answerOf(nil, fault.New(fault.Busy, "busy").After(given))
		for _, err := range []error{faultOf(answer), declineOf(answer)} {
			if e := fault.From(err); e.Kind != fault.Busy || e.RetryAfter != want {
				t.Errorf("%v came as %v %v", given, e, e.RetryAfter)
			}
		}
	}
	if e := fault.From(faultOf(&cpmv1.Answer{Fault: "busy", Text: "x", RetryAfterMs: math.MaxUint32})); e.RetryAfter != maxRetryAfter {
		t.Errorf("an adapter may have callers wait for %v", e.RetryAfter)
	}
}

func TestOfALinksCreditAnotherFSPHasAPart(t *testing.T) {
	a := newAsker(partyAdapter, nil)
	a.greeted(&cpmv1.Hello{Credit: 8})
	taken := 0
	for a.admit(t.Context(), "flood") == nil {
		taken++
	}
	err := a.admit(t.Context(), "flood")
	if e := fault.From(err); taken != 4 || e.Kind != fault.Busy || e.RetryAfter != creditBack || admission.ReasonOf(err) != admission.LinkCredit {
		t.Errorf("the flood has %d of 8: %v", taken, err)
	}
	if err := a.admit(t.Context(), "modest"); err != nil {
		t.Error(err)
	}
	a.done("flood")
	if err := a.admit(t.Context(), "flood"); err != nil {
		t.Error("what was given back:", err)
	}
	alone := 0
	for a.admit(t.Context(), "") == nil {
		alone++
	}
	if alone != 3 || a.credit.Taken() != 8 {
		t.Errorf("who shares with nobody got the rest: %d, %d", alone, a.credit.Taken())
	}
}
