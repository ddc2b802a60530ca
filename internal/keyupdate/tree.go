package keyupdate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The hidden names of a tree.
const (
	dataLink   = "..data"
	tempLink   = "..tmp"
	versionDir = "..version-"
)

// tree is a directory whose visible files are links through ..data into a directory of one version.
type tree struct {
	path string
	// current is the name of the version that ..data led to when it was last written.
	current string
}

// intact says whether ..data still leads where it was written to.
func (t *tree) intact() bool {
	to, err := os.Readlink(filepath.Join(t.path, dataLink))
	return err == nil && to == t.current
}

// write makes the files the visible ones. Readers see all of the old version or all of the new, file by file. Links to files
// that differ from before are made again, for readers that wait for a change of the very name. A failure leaves the version
// before in place.
func (t *tree) write(files, before map[string][]byte) error {
	stale, err := t.visible()
	if err != nil {
		return err
	}
	version, err := t.version(files)
	if err != nil {
		return err
	}
	if err := t.link(version, dataLink); err != nil {
		return errors.Join(err, os.RemoveAll(filepath.Join(t.path, version)))
	}
	t.current = version
	var problems []error
	for name, text := range files {
		if !stale[name] || !bytes.Equal(before[name], text) {
			problems = append(problems, t.link(filepath.Join(dataLink, name), name))
		}
		delete(stale, name)
	}
	for name := range stale {
		problems = append(problems, os.Remove(filepath.Join(t.path, name)))
	}
	problems = append(problems, t.sweep())
	return errors.Join(problems...)
}

// visible lists the links of the tree. Any other file with a key's name is somebody else's, and stops everything: readers
// would take it for a key, and it is not ours to replace.
func (t *tree) visible() (map[string]bool, error) {
	entries, err := os.ReadDir(t.path)
	if err != nil {
		return nil, err
	}
	links := map[string]bool{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		to, err := os.Readlink(filepath.Join(t.path, e.Name()))
		if err != nil || to != filepath.Join(dataLink, e.Name()) {
			return nil, errors.New("the directory has a .pem file that this CPM did not write; give it an empty directory of its own")
		}
		links[e.Name()] = true
	}
	return links, nil
}

// version writes the files into a directory of their own. Public keys are for everybody who can reach them.
func (t *tree) version(files map[string][]byte) (string, error) {
	dir, err := os.MkdirTemp(t.path, versionDir)
	if err != nil {
		return "", err
	}
	for name, text := range files {
		if err = publish(filepath.Join(dir, name), text); err != nil {
			break
		}
	}
	if err == nil {
		err = os.Chmod(dir, 0o755) //nolint:gosec // other services read the public keys
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return filepath.Base(dir), nil
}

// publish writes a file for everybody to read, whatever the umask is.
func publish(name string, text []byte) error {
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return err
	}
	return os.Chmod(name, 0o644) //nolint:gosec // other services read the public keys
}

// link makes name lead to a place, in one step for those who read it.
func (t *tree) link(to, name string) error {
	temp := filepath.Join(t.path, tempLink)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(to, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(t.path, name)); err != nil {
		return fmt.Errorf("the link of a key cannot be put in its place: %w", err)
	}
	return nil
}

// sweep removes the versions nothing leads to any more.
func (t *tree) sweep() error {
	entries, err := os.ReadDir(t.path)
	if err != nil {
		return err
	}
	var problems []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), versionDir) && e.Name() != t.current {
			problems = append(problems, os.RemoveAll(filepath.Join(t.path, e.Name())))
		}
	}
	return errors.Join(problems...)
}
