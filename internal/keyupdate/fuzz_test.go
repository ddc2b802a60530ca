package keyupdate

import (
	"strings"
	"testing"
)

func FuzzReadAction(f *testing.F) {
	for _, payload := range []string{`{"action":"Add"}`, `{"action":"Delete","x":[{}]}`, `{"action":"\u0041dd"}`, `{}`, `[]`, `{"action":"Add","action":"Add"}`} {
		f.Add([]byte(jws(payload)))
	}
	f.Add([]byte(".."))
	f.Add([]byte("e30.e30.e30=\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		action, err := readAction(text)
		if (err == nil) != (action == Add || action == Update || action == Delete) {
			t.Errorf("action %q, error %v", action, err)
		}
		if err == nil && (strings.Count(string(text), ".") != 2 || len(text) > maxUpdate) {
			t.Error("taken for a compact JWS")
		}
	})
}

func FuzzReadBatch(f *testing.F) {
	for _, text := range []string{`{"updates":["a.b.c"]}`, `{"updates":["a","b"]}`, `{"updates":[]}`, `{"updates":["a"],"x":1}`, `{"updates":["\u0061"]} `, `[`, `{"updates":["a"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		updates, err := readBatch(body)
		if err == nil && (len(updates) == 0 || len(updates) > maxUpdates) {
			t.Errorf("%d updates", len(updates))
		}
	})
}

func FuzzReadSettings(f *testing.F) {
	for _, text := range []string{``, `{}`, `{"burst":5}`, `{"requestsPerSecond":0.5,"askTimeoutMs":1000}`, `{"burst":1e400}`, `{"Burst":5}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := readSettings(text); err == nil && s.check() != nil {
			t.Errorf("%+v is taken", s)
		}
	})
}
