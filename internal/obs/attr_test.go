package obs_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

func everyAttribute() []slog.Attr {
	return []slog.Attr{
		obs.Component("core"), obs.Event("B03"), obs.RequestID("r"), obs.TraceID("t"), obs.FSP(cpm.FSP("payerfsp")),
		obs.Operation(cpm.JWSSign), obs.Adapter("ssm"), obs.Kid("k"), obs.Alg("RS256"), obs.Outcome("success"),
		obs.Kind(fault.NotRouted), obs.ErrorCode("2002"), obs.Duration(1234567 * time.Nanosecond), obs.Err(errors.New("boom")),
	}
}

func TestAttributesAreSpeltInOnePlace(t *testing.T) {
	t.Parallel()
	var got []string
	for _, a := range everyAttribute() {
		got = append(got, a.String())
	}
	want := []string{
		"component=core", "event=B03", "requestId=r", "traceId=t", "fspId=payerfsp", "operation=jws.sign", "adapter=ssm", "kid=k",
		"alg=RS256", "outcome=success", "kind=not-routed", "errorCode=2002", "durationMs=1.235", "error=boom",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMojaloopsLoggerBlanksNone(t *testing.T) {
	t.Parallel()
	// The substrings central-services-logger redacts by, in any case.
	blanked := strings.Fields("token auth secret client password passphrase private jwt session cookie key credential access refresh " +
		"ssn credit_card card_number cvv iban_code bic account_number routing_number security_answer")
	for _, a := range everyAttribute() {
		for _, b := range blanked {
			if strings.Contains(strings.ToLower(a.Key), b) {
				t.Errorf("%s holds %s", a.Key, b)
			}
		}
	}
}

func TestValuesAreCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	long := "x" + strings.Repeat("é", 1000)
	for _, test := range []struct {
		attr slog.Attr
		max  int
	}{{obs.FSP(long), 256}, {obs.Event(long), 256}, {obs.Err(errors.New(long)), 512}} {
		got := test.attr.Value.String()
		if len(got) != test.max-1 || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes", test.attr.Key, len(got))
		}
	}
	if got := obs.FSP(strings.Repeat("\x80", 300)).Value.String(); got != "" {
		t.Errorf("what is no text at all: got %d bytes", len(got))
	}
}

func TestNoErrorIsNoAttribute(t *testing.T) {
	t.Parallel()
	if !obs.Err(nil).Equal(slog.Attr{}) {
		t.Error("an attribute")
	}
	for _, format := range []string{"json", "mojaloop"} {
		if got := line(t, format, obs.LevelInfo, "m", obs.Err(nil)); strings.Contains(got, "error") {
			t.Errorf("got %s", got)
		}
	}
}
