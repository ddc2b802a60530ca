package server

import (
	"context"
	"encoding/json"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/keyupdate"
	"github.com/mojaloop/cpm/internal/obs"
)

// directoryKey is the name of the keys that the watched directory brings, so that it changes no others.
const directoryKey = "directory"

// activeFSP is the state of an FSP that takes part, as core.FSPView shows it.
const activeFSP = "active"

// checkKeyFiles wants the configured directories to be there, and to be two.
func (s *server) checkKeyFiles() error {
	var found []os.FileInfo
	for _, path := range []string{s.config.Keys.Directory, s.config.Keys.Sink} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			return fault.New(fault.State, "keys.directory and keys.sink must be directories; make them first").Because(err)
		}
		found = append(found, info)
	}
	if len(found) == 2 && os.SameFile(found[0], found[1]) {
		return fault.New(fault.State, "keys.directory and keys.sink are one directory; the CPM would read what it writes")
	}
	return nil
}

// keyFiles watches and keeps the directories of keys that are configured.
func (s *server) keyFiles(ctx context.Context, group *errgroup.Group) {
	if path := s.config.Keys.Directory; path != "" {
		d := keyupdate.NewDirectory(keyupdate.DirectoryConfig{
			Path: path, Keyring: directoryKeys{s.core}, Deletes: s.config.Keys.DirectoryDeletes, Logger: s.log, Now: s.options.Now,
		})
		group.Go(func() error {
			d.Run(ctx)
			return nil
		})
	}
	if path := s.config.Keys.Sink; path != "" {
		k := keyupdate.NewSink(keyupdate.SinkConfig{
			Path: path, Keys: s.verificationKeys, Revision: s.core.Revision, Logger: s.log,
		})
		group.Go(func() error {
			k.Run(ctx)
			return nil
		})
	}
}

// verificationKeys has the key that verifies each active FSP's signatures now: of several the one that became active last,
// as the CPM itself tries them.
func (s *server) verificationKeys() map[cpm.FSP][]byte {
	now, out := s.options.Now(), map[cpm.FSP][]byte{}
	for _, f := range s.core.FSPs() {
		if f.State != activeFSP {
			continue
		}
		for _, k := range s.core.Keys(cpm.FSP(f.Name), "", true) {
			if k.Use == string(cpm.UseSignature) && k.State == keys.Active && !k.Deleted && (k.Superseded == nil || now.Before(*k.Superseded)) {
				out[cpm.FSP(f.Name)] = k.PublicKey
				break
			}
		}
	}
	return out
}

// directoryKeys are the keys of the watched directory as the core has them.
type directoryKeys struct{ core *core.Core }

var _ keyupdate.Keyring = directoryKeys{}

// Held tells what the directory last gave for an FSP. The revision is read first: what changes after it is noticed.
func (d directoryKeys) Held(f cpm.FSP) keyupdate.Held {
	held := keyupdate.Held{Revision: d.core.Revision()}
	for _, k := range d.core.Keys(f, directoryKey, true) {
		if k.Current {
			held.Public, held.Deleted = k.PublicKey, k.Deleted
		}
	}
	return held
}

// FSPs lists those with a key from the directory that is not deleted.
func (d directoryKeys) FSPs() []cpm.FSP {
	var all []cpm.FSP
	for _, k := range d.core.Keys("", directoryKey, false) {
		all = append(all, cpm.FSP(k.FSP))
	}
	return all
}

// Add makes a key update of a file. An FSP that does not exist, or a weak key, is declined.
func (d directoryKeys) Add(ctx context.Context, f cpm.FSP, pem []byte, revision int64) error {
	return d.apply(ctx, "key.add", f, revision, keys.Addition{FSP: f, Name: directoryKey, Use: cpm.UseSignature, Public: string(pem)})
}

// Delete deletes the key of a file that is gone.
func (d directoryKeys) Delete(ctx context.Context, f cpm.FSP, revision int64) error {
	return d.apply(ctx, "key.delete", f, revision, core.KeyDocument{FSP: f, Name: directoryKey})
}

func (d directoryKeys) apply(ctx context.Context, action string, f cpm.FSP, revision int64, document any) error {
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	_, err = d.core.Apply(ctx, cpm.Principal{Kind: cpm.PrincipalSystem, Name: "keys.directory"}, core.Change{
		Action: action, Target: string(f) + "/" + directoryKey, Document: text, ExpectRevision: revision, RequestID: obs.NewRequestID(),
	})
	return err
}
