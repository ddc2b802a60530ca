package keyupdate

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/pki"
)

func TestANewAndAChangedFileBecomeKeyUpdates(t *testing.T) {
	t.Parallel()
	w := watch(t, false)
	first := publicPEM(t)
	w.write(t, "payerfsp.pem", first)
	w.write(t, "payeefsp.pem", publicPEM(t))
	for i, want := range []string{"add payeefsp, add payerfsp", ""} {
		if got := w.scans(t); got != want {
			t.Errorf("look %d: %q, want %q", i, got, want)
		}
	}
	w.write(t, "payerfsp.pem", append([]byte("a remark\n"), first...))
	if got := w.scans(t); got != "" {
		t.Errorf("another file with the same key: %q", got)
	}
	w.write(t, "payerfsp.pem", publicPEM(t))
	if got := w.scans(t); got != "add payerfsp" || !w.log.has("keyupdate.directory-added") {
		t.Errorf("changed: %q", got)
	}
}

func TestACertificateGivesItsKey(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewAuthority(time.Now(), "authority")
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, false)
	w.write(t, "payerfsp.pem", issue(t, ca, "payerfsp").PEM())
	if got := w.scans(t); got != "add payerfsp" {
		t.Errorf("%q", got)
	}
}

func TestAKeyThatAnOperatorDeletedStaysDeletedUntilTheFileChanges(t *testing.T) {
	t.Parallel()
	w := watch(t, false)
	w.write(t, "payerfsp.pem", publicPEM(t))
	_ = w.scans(t)
	_ = w.keys.Delete(t.Context(), "payerfsp", 0)
	_ = w.keys.done()
	if got := w.scans(t); got != "" {
		t.Errorf("came back: %q", got)
	}
	w.write(t, "payerfsp.pem", publicPEM(t))
	if got := w.scans(t); got != "add payerfsp" {
		t.Errorf("a new key: %q", got)
	}
}

func TestAFileThatKeepsChangingIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := watch(t, false)
	for range 5 {
		w.write(t, "payerfsp.pem", publicPEM(t))
		w.scan(t.Context())
	}
	if got := w.keys.done(); got != "" {
		t.Fatalf("taken in the middle of a storm: %q", got)
	}
	if got := w.scans(t); got != "add payerfsp" {
		t.Errorf("after it: %q", got)
	}
}

func TestFilesThatAreNoKeysAreRefusedAndToldOnce(t *testing.T) {
	t.Parallel()
	key := publicPEM(t)
	private := []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	outside := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(outside, key, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(w *watched) error{
		"half.pem":      func(w *watched) error { w.write(t, "half.pem", key[:len(key)/2]); return nil },
		"empty.pem":     func(w *watched) error { w.write(t, "empty.pem", nil); return nil },
		"private.pem":   func(w *watched) error { w.write(t, "private.pem", private); return nil },
		"two.pem":       func(w *watched) error { w.write(t, "two.pem", slices.Concat(key, key)); return nil },
		"twohalves.pem": func(w *watched) error { w.write(t, "twohalves.pem", slices.Concat(key, key[:40])); return nil },
		"nonsense.pem":  func(w *watched) error { w.write(t, "nonsense.pem", []byte("nonsense")); return nil },
		"large.pem":     func(w *watched) error { w.write(t, "large.pem", bytes.Repeat([]byte("a"), maxFile+1)); return nil },
		"payerfsp.txt":  func(w *watched) error { w.write(t, "payerfsp.txt", key); return nil },
		"a b.pem":       func(w *watched) error { w.write(t, "a b.pem", key); return nil },
		"*.pem":         func(w *watched) error { w.write(t, "*.pem", key); return nil },
		"folder.pem":    func(w *watched) error { return os.Mkdir(filepath.Join(w.path, "folder.pem"), 0o700) },
		"pipe.pem":      func(w *watched) error { return syscall.Mkfifo(filepath.Join(w.path, "pipe.pem"), 0o600) },
		"away.pem":      func(w *watched) error { return os.Symlink(outside, filepath.Join(w.path, "away.pem")) },
		"dangling.pem":  func(w *watched) error { return os.Symlink("nowhere", filepath.Join(w.path, "dangling.pem")) },
		"loop.pem":      func(w *watched) error { return os.Symlink("loop.pem", filepath.Join(w.path, "loop.pem")) },
	}
	for name, lay := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, true)
			if err := lay(w); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got := w.scans(t); got != "" {
					t.Fatalf("taken: %q", got)
				}
			}
			if n := strings.Count(w.log.String(), `"event":"keyupdate.directory-refused"`); n != 1 {
				t.Errorf("told %d times:\n%s", n, w.log)
			}
		})
	}
}

func TestHiddenFilesAreNobodysBusiness(t *testing.T) {
	t.Parallel()
	w := watch(t, false)
	w.write(t, ".payerfsp.pem.swp", publicPEM(t))
	w.write(t, "..data_tmp", nil)
	if got := w.scans(t); got != "" || w.log.String() != "" {
		t.Errorf("%q, log %s", got, w.log)
	}
}

// volume swaps the content of a directory as the kubelet does.
func volume(t *testing.T, path, version string, files map[string][]byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old, _ := os.Readlink(filepath.Join(path, "..data"))
	must(os.Mkdir(filepath.Join(path, version), 0o755))
	for name, text := range files {
		must(os.WriteFile(filepath.Join(path, version, name), text, 0o644))
	}
	must(os.Symlink(version, filepath.Join(path, "..data_tmp")))
	must(os.Rename(filepath.Join(path, "..data_tmp"), filepath.Join(path, "..data")))
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(path, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	if old != "" {
		must(os.RemoveAll(filepath.Join(path, old)))
	}
}

func TestTheSwappedLinksOfAKubernetesVolumeAreFollowed(t *testing.T) {
	t.Parallel()
	w := watch(t, false)
	a, b := publicPEM(t), publicPEM(t)
	volume(t, w.path, "..2026_01_31_1", map[string][]byte{"payerfsp.pem": a, "payeefsp.pem": b})
	if got := w.scans(t); got != "add payeefsp, add payerfsp" {
		t.Errorf("first version: %q", got)
	}
	volume(t, w.path, "..2026_01_31_2", map[string][]byte{"payerfsp.pem": publicPEM(t), "payeefsp.pem": b, "newfsp.pem": publicPEM(t)})
	if got := w.scans(t); got != "add newfsp, add payerfsp" {
		t.Errorf("second version: %q", got)
	}
}

func TestAFileThatIsGoneDeletesItsKeyOnlyWhenThatIsConfigured(t *testing.T) {
	t.Parallel()
	for _, deletes := range []bool{false, true} {
		w := watch(t, deletes)
		w.write(t, "payerfsp.pem", publicPEM(t))
		w.write(t, "payeefsp.pem", publicPEM(t))
		_ = w.scans(t)
		if err := os.Remove(filepath.Join(w.path, "payerfsp.pem")); err != nil {
			t.Fatal(err)
		}
		want, event := "", "keyupdate.directory-missing"
		if deletes {
			want, event = "delete payerfsp", "keyupdate.directory-deleted"
		}
		w.scan(t.Context())
		if got := w.keys.done(); got != "" {
			t.Errorf("at once: %q", got)
		}
		if got := w.scans(t) + w.scans(t); got != want || !w.log.has(event) {
			t.Errorf("deletes %v: %q", deletes, got)
		}
	}
}

func TestALostDirectoryDeletesNothing(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(path string) error{
		"emptied": func(path string) error { return os.Remove(filepath.Join(path, "payerfsp.pem")) },
		"gone":    os.RemoveAll,
		"spoilt":  func(path string) error { return os.WriteFile(filepath.Join(path, "payerfsp.pem"), nil, 0o600) },
		"foreign": func(path string) error {
			return os.Rename(filepath.Join(path, "payerfsp.pem"), filepath.Join(path, "readme"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, true)
			w.write(t, "payerfsp.pem", publicPEM(t))
			_ = w.scans(t)
			if err := lose(w.path); err != nil {
				t.Fatal(err)
			}
			if got := w.scans(t) + w.scans(t); got != "" {
				t.Errorf("%q", got)
			}
			if name == "gone" && strings.Count(w.log.String(), "keyupdate.directory-unavailable") != 1 {
				t.Errorf("log %s", w.log)
			}
		})
	}
}

func TestADeclinedKeyIsTriedAgainLaterAndAConflictAtOnce(t *testing.T) {
	t.Parallel()
	w := watch(t, false)
	w.keys.decline = fault.New(fault.NotFound, "there is no such FSP")
	w.write(t, "payerfsp.pem", publicPEM(t))
	if got := w.scans(t); got != "add payerfsp" || !w.log.has("keyupdate.directory-declined") {
		t.Fatalf("%q", got)
	}
	if got := w.scans(t); got != "" {
		t.Errorf("tried again at once: %q", got)
	}
	w.now = w.now.Add(retryEvery)
	w.keys.decline = fault.New(fault.Conflict, "somebody was quicker")
	if got := w.scans(t); got != "add payerfsp, add payerfsp" {
		t.Errorf("conflict: %q", got)
	}
	w.keys.decline = nil
	if got := w.scans(t); got != "add payerfsp" {
		t.Errorf("in the end: %q", got)
	}
	if n := strings.Count(w.log.String(), "directory-declined"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestOneScanChangesNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	w := watch(t, false)
	key := publicPEM(t)
	for i := range maxApplied + 1 {
		w.write(t, "fsp"+strings.Repeat("x", i%50)+string(rune('a'+i/50))+".pem", key)
	}
	_ = w.scans(t)
	if n := len(w.keys.held); n != maxApplied {
		t.Errorf("%d in the first scan", n)
	}
	w.scan(t.Context())
	if n := len(w.keys.held); n != maxApplied+1 {
		t.Errorf("%d after the next", n)
	}
}

func TestADirectoryWithTooManyFilesIsRefused(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	for i := range maxFiles + 1 {
		if err := os.Symlink("x", filepath.Join(path, "f"+string(rune('a'+i%26))+strings.Repeat("y", i/26%100)+strings.Repeat("z", i/2600))); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := readDirectory(path); err == nil {
		t.Errorf("%d files", len(found))
	}
}
