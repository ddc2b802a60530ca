package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const clearText = "correct horse battery"

func TestNothingShowsTheBytes(t *testing.T) {
	t.Parallel()
	s := Take([]byte(clearText))
	type holder struct{ Key Bytes }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t"} {
		for _, v := range []any{s, &s, holder{s}, &holder{s}, []Bytes{s}, map[string]Bytes{"k": s}} {
			assertHidden(t, fmt.Sprintf(verb, v))
		}
	}
	j, err := json.Marshal(holder{s})
	if err != nil {
		t.Fatal(err)
	}
	assertHidden(t, string(j))
	assertHidden(t, fmt.Errorf("wrapped: %w", errors.New(fmt.Sprint(s))).Error())
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).InfoContext(t.Context(), "m", slog.Any("key", s), slog.Any("h", holder{s}))
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "m", slog.Any("key", s), slog.Any("h", holder{s}))
	assertHidden(t, log.String())
}

func assertHidden(t *testing.T, shown string) {
	t.Helper()
	if strings.Contains(shown, "horse") || strings.Contains(shown, fmt.Sprintf("%x", "horse")) {
		t.Errorf("the bytes are shown: %s", shown)
	}
}

func TestDestroyZeroisesEveryCopy(t *testing.T) {
	t.Parallel()
	b := []byte(clearText)
	s := Take(b)
	other := s
	s.Destroy()
	if other.Open(Token{}) != nil || !bytes.Equal(b, make([]byte, len(b))) {
		t.Error("bytes survive Destroy")
	}
	other.Destroy()
	Bytes{}.Destroy()
}

func TestEqual(t *testing.T) {
	t.Parallel()
	a, b, c := Take([]byte("a")), Take([]byte("a")), Take([]byte("b"))
	if !a.Equal(b) || a.Equal(c) || a.Equal(Bytes{}) || a.Len() != 1 {
		t.Error("Equal is wrong")
	}
}
