package keyupdate

import (
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
)

// sinkBench is a Sink whose keys the test changes.
type sinkBench struct {
	*Sink
	path string
	keys map[cpm.FSP][]byte
	log  *journal
}

func newSinkBench(t *testing.T) *sinkBench {
	t.Helper()
	b := &sinkBench{path: t.TempDir(), keys: map[cpm.FSP][]byte{}, log: &journal{}}
	b.Sink = NewSink(SinkConfig{
		Path: b.path, Keys: func() map[cpm.FSP][]byte { return maps.Clone(b.keys) }, Revision: func() int64 { return 1 },
		Logger: slog.New(slog.NewJSONHandler(b.log, nil)),
	})
	return b
}

// reads is what a service finds: name → SubjectPublicKeyInfo.
func (b *sinkBench) reads(t *testing.T) map[cpm.FSP][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(b.path, "*.pem"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[cpm.FSP][]byte{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if block == nil || block.Type != "PUBLIC KEY" {
			t.Fatalf("%s has no public key", name)
		}
		if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			t.Error(err)
		}
		got[cpm.FSP(strings.TrimSuffix(filepath.Base(name), ".pem"))] = block.Bytes
	}
	return got
}

func spki(t *testing.T) []byte {
	t.Helper()
	block, _ := pem.Decode(publicPEM(t))
	return block.Bytes
}

func TestTheSinkHoldsTheKeysThatVerifyNow(t *testing.T) {
	t.Parallel()
	b := newSinkBench(t)
	steps := []func(){
		func() { b.keys["payerfsp"], b.keys["payeefsp"] = spki(t), spki(t) },
		func() { b.keys["payerfsp"] = spki(t) },
		func() { delete(b.keys, "payeefsp"); b.keys["newfsp"] = spki(t) },
		func() { clear(b.keys) },
		func() { b.keys["payerfsp"] = spki(t) },
	}
	for i, step := range steps {
		step()
		b.follow(t.Context())
		if diff := cmp.Diff(b.keys, b.reads(t)); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
		if versions, _ := filepath.Glob(filepath.Join(b.path, versionDir+"*")); len(versions) != 1 {
			t.Errorf("step %d: %d versions lie around", i, len(versions))
		}
	}
}

func TestFilesOfTheSinkAreReadableByOthersAndLinksThroughData(t *testing.T) {
	t.Parallel()
	b := newSinkBench(t)
	b.keys["payerfsp"] = spki(t)
	b.follow(t.Context())
	to, err := os.Readlink(filepath.Join(b.path, "payerfsp.pem"))
	if err != nil || to != filepath.Join("..data", "payerfsp.pem") {
		t.Errorf("%q %v", to, err)
	}
	info, err := os.Stat(filepath.Join(b.path, "payerfsp.pem"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	dir, err := os.Stat(filepath.Join(b.path, "..data"))
	if err != nil || dir.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", dir.Mode(), err)
	}
}

func TestNothingIsWrittenWhenNothingChangedAndAllWhenItWasTamperedWith(t *testing.T) {
	t.Parallel()
	b := newSinkBench(t)
	b.keys["payerfsp"] = spki(t)
	b.follow(t.Context())
	before := b.tree.current
	b.follow(t.Context())
	if b.tree.current != before {
		t.Error("written again")
	}
	if err := os.Remove(filepath.Join(b.path, dataLink)); err != nil {
		t.Fatal(err)
	}
	b.follow(t.Context())
	if diff := cmp.Diff(b.keys, b.reads(t)); diff != "" || b.tree.current == before {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A service that watches by name must see an event of that name, not only one of ..data.
func TestTheLinkOfAChangedKeyIsMadeAgainAndThatOfAnotherIsNot(t *testing.T) {
	t.Parallel()
	b := newSinkBench(t)
	b.keys["payerfsp"], b.keys["payeefsp"] = spki(t), spki(t)
	b.follow(t.Context())
	inode := func(name string) os.FileInfo {
		info, err := os.Lstat(filepath.Join(b.path, name))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	payer, payee := inode("payerfsp.pem"), inode("payeefsp.pem")
	b.keys["payerfsp"] = spki(t)
	b.follow(t.Context())
	if os.SameFile(payer, inode("payerfsp.pem")) {
		t.Error("the link of the changed key is the old one")
	}
	if !os.SameFile(payee, inode("payeefsp.pem")) {
		t.Error("the link of the other key is a new one")
	}
}

func TestASinkGoesOnWhereAnotherProcessEnded(t *testing.T) {
	t.Parallel()
	b := newSinkBench(t)
	b.keys["payerfsp"], b.keys["payeefsp"] = spki(t), spki(t)
	b.follow(t.Context())
	// The one before may have ended in the middle of a write.
	for _, name := range []string{versionDir + "left", versionDir + "left2"} {
		if err := os.Mkdir(filepath.Join(b.path, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(b.path, tempLink)); err != nil {
		t.Fatal(err)
	}
	delete(b.keys, "payeefsp")
	b.Sink = NewSink(b.config)
	b.follow(t.Context())
	if diff := cmp.Diff(b.keys, b.reads(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	entries, err := os.ReadDir(b.path)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"..data", b.tree.current, "payerfsp.pem"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestASinkDoesNotTouchFilesOfOthers(t *testing.T) {
	t.Parallel()
	b := newSinkBench(t)
	foreign := filepath.Join(b.path, "payerfsp.pem")
	if err := os.WriteFile(foreign, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.path, "readme"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.keys["payerfsp"] = spki(t)
	for range 2 {
		b.follow(t.Context())
	}
	if text, err := os.ReadFile(foreign); err != nil || string(text) != "somebody's" {
		t.Errorf("%q %v", text, err)
	}
	if n := strings.Count(b.log.String(), "keyupdate.sink-failed"); n != 1 {
		t.Errorf("told %d times", n)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	b.follow(t.Context())
	if diff := cmp.Diff(b.keys, b.reads(t)); diff != "" {
		t.Errorf("after it went (-want +got):\n%s", diff)
	}
}

func TestNamesThatCannotBeFilesAreLeftOut(t *testing.T) {
	t.Parallel()
	b := newSinkBench(t)
	b.keys["payerfsp"] = spki(t)
	want := maps.Clone(b.keys)
	for _, name := range []cpm.FSP{"..", ".hidden", "a/b", "", "*"} {
		b.keys[name] = spki(t)
	}
	b.follow(t.Context())
	if diff := cmp.Diff(want, b.reads(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
