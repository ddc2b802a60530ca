package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/pki"
	"github.com/mojaloop/cpm/internal/seal"
	"github.com/mojaloop/cpm/internal/store"
)

// The results of an examination, from good to bad.
const (
	ResultOK   = "ok"
	ResultWarn = "warn"
	ResultFail = "fail"
)

// Finding is one thing that was examined.
type Finding struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	// Found says what was seen, Next what to do about it.
	Found string `json:"found"`
	Next  string `json:"next,omitempty"`
}

func ok(check, format string, args ...any) Finding {
	return Finding{Check: check, Result: ResultOK, Found: fmt.Sprintf(format, args...)}
}

func warning(check, next, format string, args ...any) Finding {
	return Finding{Check: check, Result: ResultWarn, Found: fmt.Sprintf(format, args...), Next: next}
}

func failing(check, next, format string, args ...any) Finding {
	return Finding{Check: check, Result: ResultFail, Found: fmt.Sprintf(format, args...), Next: next}
}

// Examine looks at everything a CPM with this configuration needs on this machine, and changes nothing. Running says that
// one with it runs: then its ports are taken by itself.
func Examine(ctx context.Context, c *config.Config, now time.Time, running bool) []Finding {
	var all []Finding
	all = append(all, examineFiles(c)...)
	all = append(all, examineRootKey(c), examineDatabase(ctx, c))
	all = append(all, examinePorts(ctx, c, running)...)
	all = append(all, examineCertificates(c.TLS, now)...)
	return append(all, examineMachine()...)
}

func examineFiles(c *config.Config) []Finding {
	const check = "files"
	var all []Finding
	info, err := os.Stat(c.DataDir)
	switch {
	case err != nil:
		all = append(all, failing(check, "make it: install -d -m 700 -o USER "+c.DataDir, "the data directory cannot be read: %v", plain(err)))
	case !info.IsDir():
		all = append(all, failing(check, "name a directory in dataDir", "the data directory is no directory"))
	case info.Mode().Perm()&0o022 != 0:
		all = append(all, failing(check, "chmod 700 "+c.DataDir, "others may write in the data directory (mode %04o)", info.Mode().Perm()))
	case info.Mode().Perm()&0o055 != 0:
		all = append(all, warning(check, "chmod 700 "+c.DataDir, "others may look into the data directory (mode %04o)", info.Mode().Perm()))
	default:
		all = append(all, ok(check, "the data directory is closed to others"))
	}
	if c.TLS.Key == "" {
		return all
	}
	switch info, err := os.Stat(c.TLS.Key); {
	case err != nil: // the examination of the certificates says so
	case info.Mode().Perm()&0o007 != 0:
		all = append(all, failing(check, "chmod 600 "+c.TLS.Key+", and think about whether the key is still secret",
			"everybody on this machine may use tls.key (mode %04o)", info.Mode().Perm()))
	default:
		all = append(all, ok(check, "tls.key is closed to others"))
	}
	return all
}

func examineRootKey(c *config.Config) Finding {
	const check = "root-key"
	if _, err := seal.OpenRootKeyFile(c.RootKey.File); err != nil {
		next := "mend the file, or restore it from its copy"
		if _, absent := os.Stat(c.RootKey.File); errors.Is(absent, fs.ErrNotExist) {
			next = "for a new CPM: cpm root-key create -c FILE; else restore it from its copy"
		}
		return failing(check, next, "the root key cannot be used: %v", plain(err))
	}
	return ok(check, "the root key can be read, and by nobody else")
}

// databaseTimeout bounds the look at the database.
const databaseTimeout = 5 * time.Second

func examineDatabase(ctx context.Context, c *config.Config) Finding {
	const check = "database"
	if file := c.Database.DSN.Reveal(); c.Database.Driver == "sqlite" {
		if _, err := os.Stat(strings.TrimPrefix(file, "file:")); errors.Is(err, fs.ErrNotExist) {
			return warning(check, "it is made by: cpm apply -f FILE -c CONFIG", "there is no database file yet")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	found, err := store.Inspect(ctx, store.Config{Driver: c.Database.Driver, DSN: c.Database.DSN.Reveal()})
	switch {
	case err != nil:
		return failing(check, "check database.dsn, and whether the server runs and lets this machine in", "the %s database does not answer: %v", c.Database.Driver, plain(err))
	case found.Schema == 0:
		return warning(check, "they are made by: cpm apply -f FILE -c CONFIG", "the %s database has no tables yet", c.Database.Driver)
	case found.Schema > found.Known:
		return failing(check, "use the newer program, or restore a backup made before the upgrade",
			"the database has schema %d, this program knows %d", found.Schema, found.Known)
	case found.Schema < found.Known:
		return warning(check, "the next start brings it up to date; make a backup first", "the database has schema %d, this program %d", found.Schema, found.Known)
	}
	return ok(check, "the %s database answered in %v, schema %d", c.Database.Driver, found.Took.Round(time.Microsecond), found.Schema)
}

func examinePorts(ctx context.Context, c *config.Config, running bool) []Finding {
	const check = "ports"
	var (
		all []Finding
		l   net.ListenConfig
	)
	for _, p := range []struct{ key, address string }{
		{"listen.mojaloopHTTP", c.Listen.MojaloopHTTP},
		{"listen.mojaloopGRPC", c.Listen.MojaloopGRPC},
		{"listen.command", c.Listen.Command},
		{"listen.keyUpdate", c.Listen.KeyUpdate},
		{"listen.probes", c.Listen.Probes},
	} {
		if p.address == "" {
			continue
		}
		bound, err := l.Listen(ctx, "tcp", p.address)
		switch {
		case err == nil && running:
			all = append(all, warning(check, "look with cpm status whether it could not be opened", "%s (%s) is free although a CPM runs", p.key, p.address))
		case err == nil:
			all = append(all, ok(check, "%s (%s) is free", p.key, p.address))
		case running:
			all = append(all, ok(check, "%s (%s) is in use, as it should be", p.key, p.address))
		default:
			all = append(all, failing(check, "see who uses it: ss -ltnp", "%s (%s) cannot be opened: %v", p.key, p.address, plain(err)))
		}
		if bound != nil {
			_ = bound.Close()
		}
	}
	return all
}

func examineCertificates(files config.TLS, now time.Time) []Finding {
	const check = "certificates"
	if files == (config.TLS{}) {
		return nil
	}
	_, lives, err := readTLS(files)
	if err != nil {
		return []Finding{failing(check, "mend the file; certificates for a small fleet are made with: cpm pki", "%v", err)}
	}
	var all []Finding
	for _, l := range lives {
		what := map[string]string{
			pki.RoleOwn: "the certificate", pki.RoleAuthority: "the authority", pki.RoleCRL: "the list of revoked certificates of",
		}[l.Role]
		next := map[string]string{
			pki.RoleOwn: "renew it; if it is from cpm pki: cpm pki renew", pki.RoleAuthority: "add its successor to tls.clientCA in time",
			pki.RoleCRL: "write it again; if it is from cpm pki: cpm pki crl",
		}[l.Role]
		date := l.Until.UTC().Format(time.RFC3339)
		switch urgencyOf(l, now) {
		case expired:
			all = append(all, failing(check, next, "%s %s expired %s", what, l.Subject, date))
		case critical, soon:
			all = append(all, warning(check, next, "%s %s expires %s", what, l.Subject, date))
		case calm:
			all = append(all, ok(check, "%s %s expires %s", what, l.Subject, date))
		}
		if now.Before(l.From) {
			all = append(all, failing(check, "check the clock of this machine", "%s %s counts only from %s on", what, l.Subject, l.From.UTC().Format(time.RFC3339)))
		}
	}
	return all
}

func examineMachine() []Finding {
	all := []Finding{examineClock(), examineEntropy()}
	if err := harden(); err != nil {
		all = append(all, failing("core-dumps", "let the process set its limits: remove what forbids setrlimit and prctl", "memory cannot be kept out of core dumps: %v", err))
	} else {
		all = append(all, ok("core-dumps", "memory is kept out of core dumps"))
	}
	if text, err := os.ReadFile("/proc/swaps"); err == nil && strings.Count(strings.TrimSpace(string(text)), "\n") > 0 {
		return append(all, warning("swap", "encrypt the swap space or switch it off; with systemd: MemorySwapMax=0", "memory can be written to swap space"))
	}
	return append(all, ok("swap", "there is no swap space"))
}

// plain is an error without the paths and words around it that the finding has already.
func plain(err error) string {
	if p, found := errors.AsType[*fs.PathError](err); found {
		return filepath.Base(p.Path) + ": " + p.Err.Error()
	}
	return cmp.Or(err.Error(), "unknown")
}
