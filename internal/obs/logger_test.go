package obs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/secret"
)

// moment is a fixed time in a zone that is not UTC.
func moment() time.Time {
	return time.Date(2026, 11, 22, 1, 29, 6, 817_654_321, time.FixedZone("", 2*3600))
}

// line logs one record with fixed time and gives the bytes that were written.
func line(t *testing.T, format string, level slog.Level, msg string, attrs ...slog.Attr) string {
	t.Helper()
	var b bytes.Buffer
	r := slog.NewRecord(moment(), level, msg, 0)
	r.AddAttrs(attrs...)
	if err := obs.NewLogger(&b, format, obs.LevelSilly).Handler().Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheMojaloopLine(t *testing.T) {
	t.Parallel()
	// The lines are those of central-services-logger 11.10 for the same message and metadata, without its colours.
	group := slog.Group("n", slog.Int("z", 1), slog.Int("a", 2))
	for _, test := range []struct {
		level slog.Level
		attrs []slog.Attr
		want  string
	}{
		{obs.LevelInfo, nil, "2026-11-21T23:29:06.817Z - info: hello\n"},
		{
			obs.LevelWarn,
			[]slog.Attr{obs.Operation("jws.sign"), slog.Int("b", 1), slog.String("a", "x\ny"), obs.Kid("k"), obs.FSP("payerfsp"), group},
			"2026-11-21T23:29:06.817Z - warn: hello -\t" +
				`{"a":"x\ny","b":1,"fspId":"payerfsp","kid":"k","n":{"a":2,"z":1},"operation":"jws.sign"}` + "\n",
		},
		{obs.LevelAudit, []slog.Attr{obs.RequestID("r")}, "2026-11-21T23:29:06.817Z - audit: hello -\t" + `{"requestId":"r"}` + "\n"},
		{obs.LevelInfo, []slog.Attr{slog.String("text", `<a href="x">&`)}, "2026-11-21T23:29:06.817Z - info: hello -\t" + `{"text":"<a href=\"x\">&"}` + "\n"},
	} {
		if diff := cmp.Diff(test.want, line(t, obs.FormatMojaloop, test.level, "hello", test.attrs...)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTheJSONLine(t *testing.T) {
	t.Parallel()
	got := line(t, "json", obs.LevelAudit, "hello", obs.Component("core"), slog.Group("g", slog.Time("time", moment())))
	want := `{"time":"2026-11-21T23:29:06.817654321Z","level":"audit","msg":"hello","component":"core","g":{"time":"2026-11-22T01:29:06.817654321+02:00"}}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// hostile holds what a caller could put into a name to forge a line or to command a terminal.
const hostile = "x\n2026-11-21T23:29:06.817Z - info: forged -\t{\"fspId\":\"y\"}\r\x00\x1b[2J\x7f\u009b2J\u2028\u2029\u202e\u200b\U000e0001\xff\x9b é ✓"

func TestNoValueCanForgeALine(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "mojaloop"} {
		got := line(t, format, obs.LevelInfo, hostile,
			obs.FSP(hostile), slog.Any("any", []string{hostile}), obs.Err(errors.New(hostile)), slog.Group("g", slog.String("in", hostile)))
		body, end := got[:len(got)-1], got[len(got)-1]
		if end != '\n' || strings.ContainsFunc(body, forbidden) || strings.Contains(body, "\xff") {
			t.Errorf("%s: %q", format, got)
		}
		if !strings.Contains(body, "é ✓") || !strings.Contains(body, `\u009b`) || !strings.Contains(body, `\udb40\udc01`) {
			t.Errorf("%s: lost or garbled: %q", format, got)
		}
		if n := strings.Count(body, "\t"); format == "json" && n != 0 || format == "mojaloop" && n != 1 {
			t.Errorf("%s: %d tabs", format, n)
		}
		if attrs := parse(t, format, got); attrs["fspId"] != string([]rune(hostile)) {
			t.Errorf("%s: the value does not survive: %q", format, attrs["fspId"])
		}
	}
}

func forbidden(r rune) bool {
	return r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\u202e' || r == '\u200b' || r == '\U000e0001'
}

// parse reads a line back into a map, with time, level and msg.
func parse(t *testing.T, format, text string) map[string]any {
	t.Helper()
	m, part := map[string]any{}, text
	if format == obs.FormatMojaloop {
		head, meta, ok := strings.Cut(strings.TrimSuffix(text, "\n"), " -\t")
		if part = meta; !ok {
			part = "{}"
		}
		when, rest, _ := strings.Cut(head, " - ")
		if m["level"], m["msg"], _ = strings.Cut(rest, ": "); when != "-" {
			m["time"] = when
		}
	}
	if err := json.Unmarshal([]byte(part), &m); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return m
}

func TestHandlersKeepTheContractOfSlog(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "mojaloop"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				b.Reset()
				return obs.NewLogger(&b, format, obs.LevelInfo).Handler()
			}, func(t *testing.T) map[string]any { return parse(t, format, b.String()) })
		})
	}
}

func TestValuesOfEveryKind(t *testing.T) {
	t.Parallel()
	var nobody *broken
	attrs := []slog.Attr{
		slog.Time("time2", moment()), slog.Duration("d", time.Second), slog.Float64("nan", math.NaN()), slog.Float64("f", 1.5),
		slog.Bool("b", true), slog.Uint64("u", 1<<63), slog.Any("err", errors.New("boom")), slog.Any("nilerr", nobody),
		slog.Any("ch", make(chan int)), slog.Any("raw", json.RawMessage(`{"a":1}`)), slog.Any("nothing", nil),
		slog.Any("secret", secret.Take([]byte("hunter2"))), slog.Any("in", struct{ S secret.Bytes }{secret.Take([]byte("hunter2"))}),
	}
	got := parse(t, "mojaloop", line(t, "mojaloop", obs.LevelInfo, "m", attrs...))
	want := map[string]any{
		"level": "info", "msg": "m", "time": "2026-11-21T23:29:06.817Z", "time2": "2026-11-21T23:29:06.817654321Z",
		"d": 1e9, "nan": "NaN", "f": 1.5, "b": true, "u": float64(1 << 63), "err": "boom", "nilerr": "!PANIC: *obs_test.broken",
		"raw": map[string]any{"a": 1.0}, "nothing": nil, "secret": "[secret]", "in": map[string]any{"S": "[secret]"},
	}
	if ch, ok := got["ch"].(string); !ok || !strings.HasPrefix(ch, "0x") {
		t.Errorf("a channel: got %v", got["ch"])
	}
	delete(got, "ch")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

type broken struct{ text string }

func (b *broken) Error() string { return b.text }

func TestDerivedLoggersKeepTheirAttributesApart(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	root := obs.NewLogger(&b, "mojaloop", obs.LevelInfo).With(obs.Component("a"), slog.Int("x", 1))
	one, two := root.With(slog.Int("one", 1)), root.WithGroup("g").With(slog.Int("two", 2))
	one.InfoContext(t.Context(), "1", slog.Int("x", 2))
	two.InfoContext(t.Context(), "2", slog.Int("x", 3))
	root.WithGroup("").WithGroup("empty").InfoContext(t.Context(), "3")
	var metas []string
	for l := range strings.Lines(b.String()) {
		_, meta, _ := strings.Cut(strings.TrimSpace(l), "\t")
		metas = append(metas, meta)
	}
	want := []string{`{"component":"a","one":1,"x":2}`, `{"component":"a","g":{"two":2,"x":3},"x":1}`, `{"component":"a","x":1}`}
	if diff := cmp.Diff(want, metas); diff != "" {
		t.Error(diff)
	}
}

// counted counts the writes and keeps what they held.
type counted struct {
	bytes.Buffer
	writes int
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(b)
}

func TestRecordsOfManyGoroutinesStayWhole(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "mojaloop"} {
		var out counted // not safe by itself: the race detector sees a write outside the handler's lock
		log := obs.NewLogger(&out, format, obs.LevelInfo)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 50 {
					log.With(slog.Int("i", i)).InfoContext(t.Context(), "m é\u2028", slog.Int("j", j), slog.String("long", strings.Repeat("x", 5000)))
				}
			})
		}
		wg.Wait()
		n := 0
		for l := range strings.Lines(out.String()) {
			parse(t, format, l)
			n++
		}
		if n != 400 || out.writes != 400 {
			t.Errorf("%s: %d lines in %d writes", format, n, out.writes)
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	names := []string{"error", "warn", "audit", "trace", "info", "perf", "verbose", "debug", "silly"}
	last := slog.Level(math.MaxInt)
	for _, name := range names {
		level, ok := obs.ParseLevel(name)
		if !ok || level >= last || obs.LevelName(level) != name {
			t.Errorf("%s: got %d, %v, %s", name, level, ok, obs.LevelName(level))
		}
		last = level
	}
	if _, ok := obs.ParseLevel("INFO"); ok {
		t.Error("an unknown name is a level")
	}
	if got := obs.LevelName(100) + obs.LevelName(1) + obs.LevelName(-100); got != "errorinfosilly" {
		t.Errorf("got %s", got)
	}
}

func TestTheConfigurationTakesTheSameLevelsAndFormats(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"error", "warn", "audit", "trace", "info", "perf", "verbose", "debug", "silly", "loud", ""} {
		c := config.Default()
		c.Log = config.Log{Level: name, Format: obs.FormatMojaloop}
		_, parses := obs.ParseLevel(name)
		if refused := strings.Contains(c.Validate().Error(), "log."); refused == parses {
			t.Errorf("%q: parses %v, refused %v", name, parses, refused)
		}
	}
}

func TestTheLevelCanBeChangedWhileItRuns(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "mojaloop"} {
		var (
			b     bytes.Buffer
			level slog.LevelVar
		)
		log := obs.NewLogger(&b, format, &level)
		log.Log(t.Context(), obs.LevelVerbose, "hidden")
		level.Set(obs.LevelVerbose)
		log.Log(t.Context(), obs.LevelVerbose, "shown")
		log.DebugContext(t.Context(), "hidden")
		if got := b.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "shown") || !strings.Contains(got, "verbose") {
			t.Errorf("%s: got %s", format, got)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestAFullDiskIsReported(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "mojaloop"} {
		for _, msg := range []string{"plain", "\u2028"} {
			h := obs.NewLogger(full{}, format, obs.LevelInfo).Handler()
			if err := h.Handle(context.WithoutCancel(t.Context()), slog.NewRecord(moment(), 0, msg, 0)); err == nil || err.Error() != "no space" {
				t.Errorf("%s: got %v", format, err)
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("hello", "payerfsp")
	f.Add(hostile, hostile)
	f.Fuzz(func(t *testing.T, msg, value string) {
		for _, format := range []string{"json", "mojaloop"} {
			got := line(t, format, obs.LevelInfo, msg, slog.String("v", value), slog.Any("m", map[string]string{value: msg}))
			if strings.Count(got, "\n") != 1 || strings.ContainsFunc(got[:len(got)-1], forbidden) {
				t.Errorf("%s: %q", format, got)
			}
			if parse(t, format, got)["v"] != string([]rune(value)) {
				t.Errorf("%s: the value does not survive: %q", format, got)
			}
		}
	})
}

func ExampleNewLogger() {
	var b bytes.Buffer
	log := obs.NewLogger(&b, obs.FormatMojaloop, obs.LevelInfo)
	log.Log(context.TODO(), obs.LevelAudit, "key added", obs.FSP("payerfsp"), obs.Alg("RS256"))
	_, line, _ := strings.Cut(b.String(), " - ")
	fmt.Printf("%q\n", line)
	// Output: "audit: key added -\t{\"alg\":\"RS256\",\"fspId\":\"payerfsp\"}\n"
}
