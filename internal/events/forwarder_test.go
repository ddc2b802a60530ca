package events_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/events"
	"github.com/mojaloop/cpm/internal/obs"
)

// far is a transport whose other side can be away.
type far struct {
	mu     sync.Mutex
	away   bool
	tries  int
	got    []*events.Message
	closed bool
}

func (f *far) Send(ctx context.Context, messages []*events.Message) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if f.away {
		return 0, errors.Join(errors.New("nobody there"), ctx.Err())
	}
	f.got = append(f.got, messages...)
	return 0, nil
}

func (f *far) Close() { f.closed = true }

func (f *far) set(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

func (f *far) words() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, m := range f.got {
		all = append(all, m.Metadata.Event.State.Description)
	}
	return all
}

type sheet struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *sheet) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *sheet) count(word string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), word)
}

func start(t *testing.T, transport events.Transport) (*events.Forwarder, *slog.Logger, *sheet) {
	t.Helper()
	s := &sheet{}
	f := events.New(t.Context(), events.Config{Transport: transport, Next: obs.NewLogger(s, "json", obs.LevelInfo).Handler()})
	return f, slog.New(f.Handler()), s
}

func TestEventsAreForwardedAndEverythingIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		there := &far{}
		f, log, sheet := start(t, there)
		log.LogAttrs(t.Context(), slog.LevelInfo, "no code")
		log.LogAttrs(t.Context(), slog.LevelDebug, "too quiet", obs.Event("a.b"))
		log.WithGroup("g").LogAttrs(t.Context(), slog.LevelInfo, "in a group", obs.Event("a.b"))
		log.LogAttrs(t.Context(), slog.LevelInfo, "with a code", obs.Event("a.b"))
		log.With(obs.Event("a.c")).LogAttrs(t.Context(), obs.LevelAudit, "with one before")
		f.Close(t.Context())
		if diff := cmp.Diff([]string{"with a code", "with one before"}, there.words()); diff != "" {
			t.Error(diff)
		}
		if n := sheet.count("\n"); n != 4 {
			t.Errorf("%d lines in the log", n)
		}
		if got := f.Counts(); got != (events.Counts{Sent: 2}) || !there.closed {
			t.Errorf("counts %+v, closed %v", got, there.closed)
		}
		log.LogAttrs(t.Context(), slog.LevelInfo, "after the end", obs.Event("a.b"))
		if got := f.Counts(); got.Dropped != 1 {
			t.Errorf("counts %+v after the end", got)
		}
	})
}

func TestAMessageHasWhatTheLineHas(t *testing.T) {
	t.Parallel()
	there := &far{}
	f, log, _ := start(t, there)
	trace := "4bf92f3577b34da6a3ce929d0e0e4736"
	log.With(obs.Component("core")).LogAttrs(t.Context(), slog.LevelWarn, "request declined", obs.Event("request.declined"), obs.RequestID("r1"),
		obs.TraceID(trace), obs.ErrorCode("3100"), obs.Duration(time.Millisecond), slog.Any("list", []string{"a"}))
	log.LogAttrs(t.Context(), obs.LevelAudit, "a key has been changed", obs.Event("key.added"), obs.TraceID("no trace"))
	log.LogAttrs(t.Context(), slog.LevelError, "long", obs.Event("a.long"), slog.String("stack", strings.Repeat("x", 70000)))
	f.Close(t.Context())
	if len(there.got) != 3 {
		t.Fatalf("%d messages", len(there.got))
	}
	declined, audit, long := there.got[0], there.got[1], there.got[2]
	if diff := cmp.Diff(`{"level":"warn","msg":"request declined","component":"core","event":"request.declined","requestId":"r1","traceId":"`+trace+
		`","errorCode":"3100","durationMs":1,"list":["a"]}`, string(declined.Content)); diff != "" {
		t.Error(diff)
	}
	e := declined.Metadata.Event
	if e.Type != "log" || e.Action != "warn" || e.State != (events.State{Status: "failed", Code: 3100, Description: "request declined"}) {
		t.Errorf("metadata %+v", e)
	}
	if tr := declined.Metadata.Trace; tr == nil || tr.TraceID != trace || len(tr.SpanID) != 16 || tr.Service != "cpm" {
		t.Errorf("trace %+v", tr)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", e.CreatedAt); err != nil || len(declined.ID) != 36 || declined.ID == e.ID {
		t.Errorf("time %q, ids %q %q", e.CreatedAt, declined.ID, e.ID)
	}
	if a := audit.Metadata; a.Event.Type != "audit" || a.Event.Action != "default" || a.Event.State.Status != "success" || a.Trace != nil {
		t.Errorf("audit %+v", a)
	}
	if string(long.Content) != `{"event":"a.long","tooLong":true}` {
		t.Errorf("a long content has %d bytes", len(long.Content))
	}
	if text, err := json.Marshal(declined); err != nil || !strings.Contains(string(text), `"content":{"level"`) {
		t.Errorf("as JSON: %s %v", text, err)
	}
}

func TestWhatCannotBeSentWaitsAndIsTriedAgainWithPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		there := &far{away: true}
		f, log, sheet := start(t, there)
		log.LogAttrs(t.Context(), slog.LevelInfo, "one", obs.Event("a.b"))
		log.LogAttrs(t.Context(), slog.LevelInfo, "two", obs.Event("a.b"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if there.tries < 20 || there.tries > 60 { // up to half a minute apart
			t.Errorf("%d tries in ten minutes", there.tries)
		}
		there.set(false)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"one", "two"}, there.words()); diff != "" {
			t.Error(diff)
		}
		if sheet.count("events.unreachable") != 1 || sheet.count("events.back") != 1 {
			t.Error("it is said once that they are not forwarded, and once that they are again")
		}
		f.Close(t.Context())
	})
}

func TestAFullQueueDropsWithoutHoldingAnybodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		there := &far{away: true}
		f, log, sheet := start(t, there)
		began := time.Now()
		for range 6000 {
			log.LogAttrs(t.Context(), slog.LevelInfo, "one of many", obs.Event("a.b"))
		}
		if time.Since(began) != 0 {
			t.Error("somebody was held up")
		}
		if n := f.Counts().Dropped; n < 1800 || n > 1904 { // 4096 wait, and up to a batch is under way
			t.Errorf("%d dropped", n)
		}
		if sheet.count("events.dropped") != 1 {
			t.Error("it is said once in a minute")
		}
		time.Sleep(2 * time.Minute)
		log.LogAttrs(t.Context(), slog.LevelInfo, "later", obs.Event("a.b"))
		if sheet.count("events.dropped") != 2 {
			t.Error("a minute later it is said again")
		}
		bounded, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began = time.Now()
		f.Close(bounded)
		if time.Since(began) != 2*time.Second || f.Counts().Dropped != 6001 || sheet.count("events.dropped") != 3 {
			t.Errorf("the end took %v, %+v", time.Since(began), f.Counts())
		}
	})
}
