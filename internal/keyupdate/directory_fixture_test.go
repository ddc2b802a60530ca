package keyupdate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// fakeKeys is a Keyring that remembers what was done.
type fakeKeys struct {
	held     map[cpm.FSP]Held
	did      []string
	decline  error
	revision int64
}

func newFakeKeys() *fakeKeys { return &fakeKeys{held: map[cpm.FSP]Held{}} }

func (k *fakeKeys) Held(f cpm.FSP) Held {
	h := k.held[f]
	h.Revision = k.revision
	return h
}

func (k *fakeKeys) FSPs() []cpm.FSP {
	var all []cpm.FSP
	for f, h := range k.held {
		if !h.Deleted {
			all = append(all, f)
		}
	}
	return all
}

func (k *fakeKeys) Add(_ context.Context, f cpm.FSP, text []byte, revision int64) error {
	if revision != k.revision {
		return fault.New(fault.Conflict, "another revision")
	}
	k.did = append(k.did, "add "+string(f))
	if k.decline != nil {
		return k.decline
	}
	public, err := publicIn(text)
	k.held[f] = Held{Public: public}
	k.revision++
	return err
}

func (k *fakeKeys) Delete(_ context.Context, f cpm.FSP, _ int64) error {
	k.did = append(k.did, "delete "+string(f))
	h := k.held[f]
	h.Deleted = true
	k.held[f] = h
	return nil
}

// done gives what was done since the last call, sorted.
func (k *fakeKeys) done() string {
	slices.Sort(k.did)
	out := strings.Join(k.did, ", ")
	k.did = nil
	return out
}

func publicPEM(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// watched is a Directory over a temporary directory, with a clock that the test turns.
type watched struct {
	*Directory
	path string
	keys *fakeKeys
	log  *journal
	now  time.Time
}

func watch(t *testing.T, deletes bool) *watched {
	t.Helper()
	w := &watched{path: t.TempDir(), keys: newFakeKeys(), log: &journal{}, now: time.Unix(1_000_000, 0)}
	w.Directory = NewDirectory(DirectoryConfig{
		Path: w.path, Keyring: w.keys, Deletes: deletes, Logger: slog.New(slog.NewJSONHandler(w.log, nil)), Now: func() time.Time { return w.now },
	})
	return w
}

// scans looks so often that every file which stays the same counts.
func (w *watched) scans(t *testing.T) string {
	t.Helper()
	for range 2 {
		w.scan(t.Context())
	}
	return w.keys.done()
}

func (w *watched) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.path, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
