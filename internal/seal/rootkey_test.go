package seal

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

func TestRootKeyFilesArePrivateAndDifferent(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 3 {
		b := newBench(t)
		info, err := os.Stat(b.rootKey)
		if err != nil || info.Mode() != 0o600 || info.Size() != 45 {
			t.Errorf("%v, %v", info, err)
		}
		text, err := os.ReadFile(b.rootKey)
		key, decodeErr := base64.StdEncoding.DecodeString(strings.TrimSuffix(string(text), "\n"))
		if err != nil || decodeErr != nil || len(key) != 32 || seen[string(key)] {
			t.Error("the file does not hold a new key", err, decodeErr)
		}
		seen[string(key)] = true
		b.provider(t)
	}
}

func TestRootKeyFilesAreNeverOverwritten(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before, _ := os.ReadFile(b.rootKey)
	link := b.rootKey + ".link"
	if err := os.Symlink(b.rootKey+".nowhere", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{b.rootKey, link, filepath.Dir(b.rootKey), filepath.Join(b.rootKey, "x"), b.rootKey + "/no/such"} {
		if err := CreateRootKeyFile(path); !errors.Is(err, fault.State) {
			t.Errorf("got %v", err)
		}
	}
	if after, err := os.ReadFile(b.rootKey); err != nil || string(after) != string(before) {
		t.Error("the file was touched")
	}
}

func TestRootKeyFilesThatOthersReachAreRefused(t *testing.T) {
	t.Parallel()
	for mode, ok := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o700: true,
		0o640: false, 0o620: false, 0o610: false, 0o604: false, 0o602: false, 0o601: false, 0o644: false, 0o666: false, 0o660: false,
	} {
		b := newBench(t)
		if err := os.Chmod(b.rootKey, mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenRootKeyFile(b.rootKey)
		if ok && err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
		if !ok && (!errors.Is(err, fault.State) || !strings.Contains(fault.From(err).Public, "chmod 600")) {
			t.Errorf("mode %o: got %v", mode, err)
		}
	}
}

func TestRootKeyFileOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can give a file away")
	}
	b := newBench(t)
	if err := os.Chown(b.rootKey, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRootKeyFile(b.rootKey); !errors.Is(err, fault.State) || !strings.Contains(fault.From(err).Public, "chown") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoRegularFileIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		pipe: "must be a regular file", folder: "must be a regular file", "/dev/null": "must be a regular file",
		filepath.Join(dir, "nothing"): "cpm root-key create",
	} {
		if _, err := OpenRootKeyFile(path); !errors.Is(err, fault.State) || !strings.Contains(fault.From(err).Public, text) {
			t.Errorf("%s: got %v", filepath.Base(path), err)
		}
	}
}

// Orchestrators mount secrets as links; what counts is the file the link leads to.
func TestLinksAreFollowed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := b.rootKey + ".link"
	if err := os.Symlink(b.rootKey, link); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRootKeyFile(link); err != nil {
		t.Error(err)
	}
}

func TestContentsOfRootKeyFiles(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("AQID", 10) + "BAU="
	for text, ok := range map[string]bool{
		good + "\n":                     true,
		good:                            true,
		good + "\r\n":                   true,
		"":                              false,
		"\n":                            false,
		good + "\n\n\n":                 false,
		good + "\nx":                    false,
		good + " ":                      false,
		" " + good:                      false,
		good[:43] + "\n":                false,
		good[:40] + "\n":                false,
		good[:43] + "!\n":               false,
		strings.Repeat("AQID", 11):      false,
		good[:42] + "V=":                false, // the last bits must be zero
		good[:20] + "\n" + good[20:]:    false,
		strings.Repeat("01", 32) + "\n": false,
		strings.Repeat("A", 1<<20):      false,
	} {
		path := filepath.Join(t.TempDir(), "root.key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenRootKeyFile(path)
		if ok != (err == nil) || !ok && !errors.Is(err, fault.State) {
			t.Errorf("%.60q: got %v", text, err)
		}
		if err != nil && len(text) > 8 && strings.Contains(err.Error(), text[:8]) {
			t.Errorf("the answer echoes the file: %v", err)
		}
	}
}

func TestRootKeysAreInstalledForTheirUser(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "mounted"), filepath.Join(dir, "root.key")
	text, err := os.ReadFile(b.rootKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("secret", from); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there already
		if err := InstallRootKeyFile(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != string(text) {
		t.Error("another key was installed", err)
	}
	if _, err := OpenRootKeyFile(to); err != nil {
		t.Error(err)
	}
}

func TestRootKeysAreNotInstalledOverOthers(t *testing.T) {
	t.Parallel()
	b, other := newBench(t), newBench(t)
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("AAAA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, from, to string }{
		{"another key", other.rootKey, b.rootKey},
		{"no key", short, short + ".installed"},
		{"no file", short + ".none", short + ".installed"},
	} {
		if err := InstallRootKeyFile(c.from, c.to); fault.From(err).Kind != fault.State {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if _, err := os.Stat(short + ".installed"); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was installed", err)
	}
}
