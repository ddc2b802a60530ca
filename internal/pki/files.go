package pki

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mojaloop/cpm/internal/fault"
)

// The modes of files: certificates and lists are for everybody, keys and the index for their owner.
const (
	public  fs.FileMode = 0o644
	private fs.FileMode = 0o600
)

// replace puts a file in the place of another at one moment: a reader sees the old or the new one, whole, also after a
// power cut. The new file belongs to whom the old one did, so that a service goes on reading what root renewed.
func replace(name string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), sameOwner(f, name), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(name))
}

// sameOwner gives f to the owner of the file that is there, if there is one and it is somebody else.
func sameOwner(f *os.File, name string) error {
	there, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	old, known := there.Sys().(*syscall.Stat_t)
	own, alike := ours.Sys().(*syscall.Stat_t)
	if !known || !alike || (old.Uid == own.Uid && old.Gid == own.Gid) {
		return nil
	}
	return f.Chown(int(old.Uid), int(old.Gid))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	return text, err
}

func unwritten(err error) error {
	return fault.New(fault.State, "a file cannot be written; check the directory and its owner").Because(err)
}

// absolute is a path that still leads there from elsewhere.
func absolute(name string) string {
	if a, err := filepath.Abs(name); err == nil {
		return a
	}
	return name
}
