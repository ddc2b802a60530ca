package interop

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
)

// TestUnmodifiedServicesValidateWithTheKeptDirectory: a service that only knows a directory of <fspId>.pem files validates
// what the CPM signs, with the key of now, and nobody's any more whose key is deleted.
func TestUnmodifiedServicesValidateWithTheKeptDirectory(t *testing.T) {
	node := startPeer(t)
	directory := t.TempDir()
	m := cpmtest.Start(t, cpmtest.Config{Tune: func(c *config.Config) { c.Keys.Sink = directory }})
	s := sampleOf(t, "payerfsp")
	file := filepath.Join(directory, "payerfsp.pem")
	pairs := newKeys(t)

	holds := func(want string) func() bool {
		return func() bool {
			text, err := os.ReadFile(file)
			return string(text) == want && (want == "") == (err != nil)
		}
	}
	var last wire
	for _, k := range pairs[:2] {
		m.AddKey(keys.Addition{FSP: "payerfsp", Name: "sig", Use: "sig"}, []byte(k.private))
		until(t, "the key is in the directory", holds(k.public))
		old := last
		last = signedBy(t, m, s)
		for g := range generations {
			if valid, why := node.verifyWith(t, g, directory, last.Headers, last.Body); !valid {
				t.Errorf("generation %s refuses the signature of %s: %s", g, k.name, why)
			}
			if old.Body == "" {
				continue
			}
			if valid, _ := node.verifyWith(t, g, directory, old.Headers, old.Body); valid {
				t.Errorf("generation %s takes the signature of the key before", g)
			}
		}
	}
	m.Change(core.Change{Action: "key.delete", Target: "payerfsp/sig", Document: []byte(`{"fsp":"payerfsp","name":"sig"}`)})
	until(t, "the deleted key is gone", holds(""))
	for g := range generations {
		if valid, _ := node.verifyWith(t, g, directory, last.Headers, last.Body); valid {
			t.Errorf("generation %s takes a deleted key", g)
		}
	}
}

// sampleOf is the first sample an FSP sends.
func sampleOf(t *testing.T, fsp string) message {
	t.Helper()
	for _, s := range messages(t) {
		if s.Headers["fspiop-source"] == fsp {
			return s
		}
	}
	t.Fatal("no such sample")
	return message{}
}

// signedBy has the CPM sign a sample.
func signedBy(t *testing.T, m *cpmtest.CPM, s message) wire {
	t.Helper()
	var out wire
	call(t, m.HTTP(cpmtest.Client), m.URL("/v1/fsps/payerfsp/jws/sign"), map[string]any{
		"method": s.Method, "uri": s.URI, "headers": s.Headers, "body": s.BodyText,
	}, &out)
	headers := maps.Clone(s.Headers)
	maps.Copy(headers, out.Headers)
	return wire{Headers: headers, Body: out.Body}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
