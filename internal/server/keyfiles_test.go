package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
)

func keyFile(t *testing.T) []byte {
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

func put(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition; a test that it never holds ends by the deadline of all.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// The directory brings keys in, the sink shows what verifies now: the file of one is the file of the other.
func TestKeysGoFromTheWatchedDirectoryIntoTheSink(t *testing.T) {
	t.Parallel()
	in, out := t.TempDir(), t.TempDir()
	m := cpmtest.Start(t, cpmtest.Config{Tune: func(c *config.Config) {
		c.Keys = config.KeyFiles{Directory: in, DirectoryDeletes: true, Sink: out}
	}})
	shows := func(name string, want []byte) func() bool {
		return func() bool {
			text, err := os.ReadFile(filepath.Join(out, name))
			return string(text) == string(want) && (want != nil) == (err == nil)
		}
	}
	first, second, other := keyFile(t), keyFile(t), keyFile(t)
	put(t, in, "payerfsp.pem", first)
	put(t, in, "payeefsp.pem", other)
	put(t, in, "nobody.pem", keyFile(t))
	eventually(t, "both keys in the sink", func() bool { return shows("payerfsp.pem", first)() && shows("payeefsp.pem", other)() })
	eventually(t, "the FSP nobody is declined", func() bool { return strings.Contains(m.Log(), "keyupdate.directory-declined") })

	put(t, in, "payerfsp.pem", second)
	eventually(t, "the changed key", shows("payerfsp.pem", second))
	m.Change(core.Change{Action: "fsp.suspend", Target: "payeefsp"})
	eventually(t, "the key of a suspended FSP goes", shows("payeefsp.pem", nil))
	m.Change(core.Change{Action: "fsp.resume", Target: "payeefsp"})
	eventually(t, "and comes back", shows("payeefsp.pem", other))
	if err := os.Remove(filepath.Join(in, "payerfsp.pem")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a removed file deletes its key", shows("payerfsp.pem", nil))

	own := keyFile(t)
	m.AddKey(keys.Addition{FSP: "payerfsp", Name: "sig", Use: "sig", Public: string(own)}, nil)
	eventually(t, "a key that came in another way", shows("payerfsp.pem", own))
	all, err := m.Admin.Keys(t.Context(), "payerfsp", "", true)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, k := range all.Keys {
		by[k.Name+" "+k.CreatedBy]++
	}
	if by["directory system:keys.directory"] != 2 || len(by) != 2 {
		t.Errorf("versions by source: %v", by)
	}
}

func TestACPMThatStartsAgainTakesNothingInTwice(t *testing.T) {
	t.Parallel()
	in, out := t.TempDir(), t.TempDir()
	key := keyFile(t)
	put(t, in, "payerfsp.pem", key)
	m := cpmtest.Start(t, cpmtest.Config{Tune: func(c *config.Config) { c.Keys = config.KeyFiles{Directory: in, Sink: out} }})
	eventually(t, "the key", func() bool { return strings.Contains(m.Log(), "keyupdate.directory-added") })
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	m.Run(nil)
	other := keyFile(t)
	put(t, in, "payeefsp.pem", other)
	eventually(t, "another key", func() bool {
		text, _ := os.ReadFile(filepath.Join(out, "payeefsp.pem"))
		return string(text) == string(other)
	})
	all, err := m.Admin.Keys(t.Context(), "payerfsp", "", true)
	if err != nil || len(all.Keys) != 1 {
		t.Errorf("%d versions, %v", len(all.Keys), err)
	}
}

func TestDirectoriesOfKeysThatCannotBe(t *testing.T) {
	t.Parallel()
	m := cpmtest.Start(t, cpmtest.Config{})
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string]config.KeyFiles{
		"make them first": {Directory: filepath.Join(dir, "nowhere")},
		"one directory":   {Directory: dir, Sink: link},
	} {
		if _, err := again(t, m, func(c *config.Config) { c.Keys = files }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
