package keyupdate

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/mojaloop/cpm/internal/cpm"
)

// Bounds of a directory of keys.
const (
	suffix   = ".pem"
	maxFile  = 64 << 10 // a certificate of the largest RSA key has 4 KiB
	maxFiles = 10_000
)

// entry is one file of a directory, as far as it could be read.
type entry struct {
	fsp cpm.FSP
	// text is the file, public the SubjectPublicKeyInfo in it.
	text, public []byte
	// sum changes when the file does.
	sum [sha256.Size]byte
	err error
}

// readDirectory reads the visible files of a directory. Symbolic links are followed within it and never out of it; a
// Kubernetes volume keeps its links inside. The error is that of the directory, entries have their own.
func readDirectory(path string) (map[string]entry, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names, err := namesIn(root)
	if err != nil {
		return nil, err
	}
	found := make(map[string]entry, len(names))
	for _, name := range names {
		found[name] = readEntry(root, name)
	}
	return found, nil
}

func namesIn(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxFiles + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(names) > maxFiles {
		return nil, fmt.Errorf("the directory has more than %d files", maxFiles)
	}
	visible := names[:0]
	for _, name := range names {
		if !strings.HasPrefix(name, ".") {
			visible = append(visible, name)
		}
	}
	return visible, nil
}

func readEntry(root *os.Root, name string) entry {
	e := entry{}
	fsp, ok := strings.CutSuffix(name, suffix)
	if !ok || !cpm.FSP(fsp).Valid() {
		e.err = errors.New("the name is not that of an FSP with .pem")
		return e.summed()
	}
	e.fsp = cpm.FSP(fsp)
	if e.text, e.err = readFile(root, name); e.err == nil {
		e.public, e.err = publicIn(e.text)
	}
	return e.summed()
}

// summed gives the entry its sum. Trouble counts as content, so that it too is told once.
func (e entry) summed() entry {
	e.sum = sha256.Sum256(e.text)
	if e.err != nil && len(e.text) == 0 {
		e.sum = sha256.Sum256([]byte(e.err.Error()))
	}
	return e
}

// readFile reads a regular file within its bound. Opening must not wait for the other end of a pipe.
func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.Unwrap(err) // without the name, which the caller has
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, errors.Unwrap(err)
	case info.Mode()&fs.ModeType != 0:
		return nil, errors.New("not a regular file")
	case info.Size() > maxFile:
		return nil, fmt.Errorf("more than %d bytes", maxFile)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("more than %d bytes", maxFile)
	}
	return text, err
}

// publicIn is the SubjectPublicKeyInfo of the one public key or certificate in a PEM text.
func publicIn(text []byte) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no complete PEM block")
	}
	if again, _ := pem.Decode(rest); again != nil || strings.Contains(string(rest), "-----BEGIN") {
		return nil, errors.New("more than one PEM block")
	}
	public, err := publicOf(block)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(public)
}

func publicOf(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	}
	return nil, errors.New("the PEM block is not PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")
}
