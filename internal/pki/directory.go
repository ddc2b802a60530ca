package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// The files of a Directory.
const (
	authorityFile = "ca.pem"
	keyFile       = "ca.key"
	indexFile     = "index.json"
	listFile      = "crl.pem"
	lockFile      = ".lock"
)

// maxPEM bounds a file with a certificate or a key.
const maxPEM = 64 << 10

// Directory is a certificate authority for a small fleet, kept in a directory: ca.pem and ca.key, index.json with every
// certificate it issued, and crl.pem, the list of those revoked. One process at a time works on it.
//
// Its errors are faults: Invalid for names and times that make no certificate, NotFound for a service it does not know,
// State for files that are missing, damaged, open to others or in the way.
type Directory struct {
	path   string
	index  index
	unlock func()
}

// Init makes a directory with a new authority (ECDSA P-384, no authorities below it) and an empty list of revoked
// certificates. It overwrites nothing.
func Init(path, name string, now time.Time, valid time.Duration) (Record, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return Record{}, fault.New(fault.State, "the directory cannot be made").Because(err)
	}
	unlock, err := lock(path)
	if err != nil {
		return Record{}, err
	}
	defer unlock()
	for _, file := range []string{authorityFile, keyFile, indexFile, listFile} {
		if _, err := os.Lstat(filepath.Join(path, file)); !errors.Is(err, fs.ErrNotExist) {
			return Record{}, fault.New(fault.State, "the directory holds an authority already (%s); nothing is overwritten, name another directory", file)
		}
	}
	authority, err := newRoot(name, now, valid)
	if err != nil {
		return Record{}, err
	}
	d := &Directory{path: path}
	if err := d.store(authority, now); err != nil {
		return Record{}, err
	}
	return d.authorityRecord(authority.parsed), nil
}

func newRoot(name string, now time.Time, valid time.Duration) (*certificate, error) {
	if name == "" || len(name) > maxName || !printable(name) {
		return nil, fault.New(fault.Invalid, "the authority's name is 1 to %d printable characters", maxName)
	}
	if valid < day || valid > maxAuthority {
		return nil, fault.New(fault.Invalid, "an authority is valid for 1 to %d days", maxAuthority/day)
	}
	template, err := newTemplate(now, name, valid)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	template.MaxPathLenZero = true
	c, err := sign(template, nil, elliptic.P384())
	return &c, err
}

// store writes a new authority: the key first, so that there is no certificate of a key that was lost.
func (d *Directory) store(c *certificate, now time.Time) error {
	key, err := c.KeyPEM()
	if err != nil {
		return err
	}
	defer key.Destroy()
	err = errors.Join(
		replace(d.file(keyFile), key.Open(secret.Token{}), private),
		replace(d.file(authorityFile), c.PEM(), public))
	if err != nil {
		return unwritten(err)
	}
	_, err = d.publish(c, now, DefaultListLifetime)
	return err
}

// Open reads a directory's index and keeps others out until Close.
func Open(path string) (*Directory, error) {
	if _, err := os.Stat(filepath.Join(path, authorityFile)); err != nil {
		return nil, fault.New(fault.State, "the directory holds no authority; make one with: cpm pki init").Because(err)
	}
	unlock, err := lock(path)
	if err != nil {
		return nil, err
	}
	d := &Directory{path: path, unlock: unlock}
	if d.index, err = readIndex(d.file(indexFile)); err != nil {
		unlock()
		return nil, err
	}
	return d, nil
}

// Close lets others in.
func (d *Directory) Close() { d.unlock() }

// lock waits for nobody: two people who administer one authority at the same moment should know.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.New(fault.State, "the directory cannot be used; check that it belongs to this user").Because(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fault.New(fault.Busy, "another process works on this authority; wait until it is done").Because(err)
	}
	return func() {
		// Closing alone would leave the lock with a process that is just being started and has inherited it.
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
		_ = f.Close()
	}, nil
}

func (d *Directory) file(name string) string { return filepath.Join(d.path, name) }

// Authority describes the authority's own certificate.
func (d *Directory) Authority() (Record, error) {
	c, err := d.certificate()
	if err != nil {
		return Record{}, err
	}
	return d.authorityRecord(c), nil
}

func (d *Directory) authorityRecord(c *x509.Certificate) Record {
	return Record{
		Service: c.Subject.CommonName, Serial: serial(c.SerialNumber), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
		Certificate: absolute(d.file(authorityFile)), Key: absolute(d.file(keyFile)),
	}
}

func (d *Directory) certificate() (*x509.Certificate, error) {
	text, err := readBounded(d.file(authorityFile), maxPEM)
	if err != nil {
		return nil, fault.New(fault.State, "the authority's certificate cannot be read").Because(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fault.New(fault.State, "%s holds no certificate", authorityFile)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fault.New(fault.State, "%s holds no certificate", authorityFile).Because(err)
	}
	return c, nil
}

// authority reads certificate and key, and refuses a key that others may read: whoever has it is the authority.
func (d *Directory) authority() (*certificate, error) {
	parsed, err := d.certificate()
	if err != nil {
		return nil, err
	}
	key, err := d.readKey()
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(parsed.PublicKey) {
		return nil, fault.New(fault.State, "%s and %s do not belong together; restore both from one backup", authorityFile, keyFile)
	}
	return &certificate{der: parsed.Raw, parsed: parsed, key: key}, nil
}

func (d *Directory) readKey() (*ecdsa.PrivateKey, error) {
	f, err := os.Open(d.file(keyFile))
	if err != nil {
		return nil, fault.New(fault.State, "the authority's key cannot be read").Because(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fault.New(fault.State, "the authority's key cannot be read").Because(err)
	case !info.Mode().IsRegular():
		return nil, fault.New(fault.State, "%s must be a regular file", keyFile)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fault.New(fault.State, "others can read or write %s; think about whether the key is still secret, then: chmod 600", keyFile)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPEM))
	defer clear(text)
	if err != nil {
		return nil, fault.New(fault.State, "the authority's key cannot be read").Because(err)
	}
	return parseKey(text)
}

func parseKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fault.New(fault.State, "%s holds no private key", keyFile)
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fault.New(fault.State, "%s holds no private key", keyFile).Because(err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fault.New(fault.State, "%s is not an ECDSA key; it was not made by cpm pki init", keyFile)
	}
	return key, nil
}
