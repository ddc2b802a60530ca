package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/seal"
)

// devClient is the certificate name of the client that `cpm dev` makes a certificate for.
const devClient = "client.cpm.dev"

// devFiles makes what is missing of the data directory: root key and certificates.
func devFiles(c *config.Config) error {
	dir := filepath.Dir(c.TLS.Cert)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(c.RootKey.File); errors.Is(err, fs.ErrNotExist) {
		if err := seal.CreateRootKeyFile(c.RootKey.File); err != nil {
			return err
		}
	}
	return devCertificates(dir, time.Now())
}

// devCertificates makes authority, server and client certificate unless they are there and fresh.
func devCertificates(dir string, now time.Time) error {
	fresh := true
	for _, name := range []string{"ca.pem", "server.pem", "client.pem"} {
		fresh = fresh && pki.Fresh(filepath.Join(dir, name), now)
	}
	if fresh {
		return nil
	}
	authority, err := pki.NewAuthority(now, "cpm dev authority")
	if err != nil {
		return err
	}
	server, err := authority.Issue(now, "cpm dev server", "localhost")
	if err != nil {
		return err
	}
	client, err := authority.Issue(now, "cpm dev client", devClient)
	if err != nil {
		return err
	}
	return errors.Join(authority.Write(dir, "ca"), server.Write(dir, "server"), client.Write(dir, "client"))
}
