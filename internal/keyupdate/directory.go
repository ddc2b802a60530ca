package keyupdate

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Timers and bounds of a watched directory. A file must look the same in two scans before it counts, so that what is still
// being written, or written again and again, is left alone.
const (
	scanEvery  = 2 * time.Second
	retryEvery = time.Minute
	// maxApplied is how many key updates one scan makes at most; the rest wait for the next.
	maxApplied = 100
)

// Held is the key that a directory last gave for an FSP.
type Held struct {
	// Public is its SubjectPublicKeyInfo; nil when there never was one.
	Public []byte
	// Deleted says that it was deleted since. It stays deleted until the file holds another key.
	Deleted bool
	// Revision is the configuration's when this was so.
	Revision int64
}

// Keyring is where the keys of a directory go. The CPM keeps them apart from keys that came in other ways.
type Keyring interface {
	// Held tells what the directory last gave for an FSP.
	Held(f cpm.FSP) Held
	// FSPs lists those that have a key from the directory which is not deleted.
	FSPs() []cpm.FSP
	// Add takes in a PEM public key or certificate, if the configuration is still at a revision; otherwise it is a Conflict.
	Add(ctx context.Context, f cpm.FSP, pem []byte, revision int64) error
	// Delete takes the FSP's key from the directory out of use.
	Delete(ctx context.Context, f cpm.FSP, revision int64) error
}

// DirectoryConfig is what a Directory is made of.
type DirectoryConfig struct {
	Path    string
	Keyring Keyring
	// Deletes lets a file that is gone delete the key it brought. Without it the key stays in use.
	Deletes bool
	Logger  *slog.Logger
	Now     func() time.Time
}

// Directory watches a directory of NAME.pem files, the public key or certificate each FSP signs with, and makes key updates
// of what changes (specification, "Key Updates"). The files are not signed: whoever may write there may change keys, as an
// operator may. It looks at the files every two seconds, which also finds the swapped symbolic links of Kubernetes volumes.
type Directory struct {
	config DirectoryConfig
	files  map[string]*file
	// missing counts the scans that an FSP's file has been gone for.
	missing map[cpm.FSP]int
	// trouble is what was last logged of the directory itself.
	trouble string
}

// file is what is remembered of one file.
type file struct {
	sum [sha256.Size]byte
	// settled says that the last two scans have found the same.
	settled bool
	// trouble is what was last logged of it; retry is when a key the CPM declined is tried again.
	trouble string
	retry   time.Time
}

// NewDirectory makes a Directory.
func NewDirectory(c DirectoryConfig) *Directory {
	c.Logger = c.Logger.With(obs.Component("keyupdate"))
	return &Directory{config: c, files: map[string]*file{}, missing: map[cpm.FSP]int{}}
}

// Run watches until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	d.config.Logger.LogAttrs(ctx, slog.LevelInfo, "a directory of keys is watched", obs.Event("keyupdate.directory-watched"),
		slog.String("path", d.config.Path), slog.Bool("deletes", d.config.Deletes))
	tick := time.NewTicker(scanEvery)
	defer tick.Stop()
	for {
		d.scan(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// scan looks at every file once.
func (d *Directory) scan(ctx context.Context) {
	found, err := readDirectory(d.config.Path)
	if err != nil {
		if news(&d.trouble, err) {
			d.config.Logger.LogAttrs(ctx, slog.LevelError, "the directory of keys cannot be read; its keys stay as they are",
				obs.Event("keyupdate.directory-unavailable"), slog.String("path", d.config.Path), obs.Err(err))
		}
		return
	}
	d.trouble = ""
	for name := range d.files {
		if _, there := found[name]; !there {
			delete(d.files, name)
		}
	}
	applied, good := 0, 0
	for name, e := range found {
		if e.err == nil {
			good++
		}
		if applied < maxApplied && d.look(ctx, name, e) {
			applied++
		}
	}
	d.depart(ctx, found, good)
}

// look judges one file; it says whether the CPM was asked for a change.
func (d *Directory) look(ctx context.Context, name string, e entry) bool {
	f := d.files[name]
	if f == nil {
		f = &file{}
		d.files[name] = f
	}
	f.settled = f.sum == e.sum && f.sum != [sha256.Size]byte{}
	if f.sum != e.sum {
		f.sum, f.trouble, f.retry = e.sum, "", time.Time{}
	}
	switch {
	case !f.settled:
		return false
	case e.err != nil:
		if news(&f.trouble, e.err) {
			d.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a file in the directory of keys is refused",
				obs.Event("keyupdate.directory-refused"), slog.String("file", name), obs.Err(e.err))
		}
		return false
	case d.config.Now().Before(f.retry):
		return false
	}
	return d.offer(ctx, f, e)
}

// offer makes a key update of a file that holds another key than the CPM had from it.
func (d *Directory) offer(ctx context.Context, f *file, e entry) bool {
	held := d.config.Keyring.Held(e.fsp)
	if string(held.Public) == string(e.public) {
		return false
	}
	err := d.config.Keyring.Add(ctx, e.fsp, e.text, held.Revision)
	switch {
	case err == nil:
		f.trouble = ""
		d.config.Logger.LogAttrs(ctx, obs.LevelAudit, "a key came from the directory", obs.Event("keyupdate.directory-added"), obs.FSP(e.fsp))
	case soon(err): // the next scan tries again
	default:
		f.retry = d.config.Now().Add(retryEvery)
		if news(&f.trouble, err) {
			d.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a key from the directory is declined",
				obs.Event("keyupdate.directory-declined"), obs.FSP(e.fsp), obs.Err(err))
		}
	}
	return true
}

// soon says that the same change may well be made a moment later.
func soon(err error) bool {
	return errors.Is(err, fault.Conflict) || errors.Is(err, fault.Unavailable) || errors.Is(err, fault.Busy)
}

// depart deletes the keys whose files are gone, if it may. A directory without a single good file was rather lost than
// emptied: it deletes nothing.
func (d *Directory) depart(ctx context.Context, found map[string]entry, good int) {
	gone := map[cpm.FSP]int{}
	for _, fsp := range d.config.Keyring.FSPs() {
		if _, there := found[string(fsp)+suffix]; !there {
			gone[fsp] = d.missing[fsp] + 1
		}
	}
	d.missing = gone
	if good == 0 {
		return
	}
	for fsp, scans := range gone {
		if scans == 2 && !d.config.Deletes {
			d.config.Logger.LogAttrs(ctx, slog.LevelWarn, "the file of a key is gone; the key stays in use, delete it with: cpm key delete",
				obs.Event("keyupdate.directory-missing"), obs.FSP(fsp))
		}
		if scans >= 2 && d.config.Deletes {
			d.remove(ctx, fsp)
		}
	}
}

func (d *Directory) remove(ctx context.Context, fsp cpm.FSP) {
	err := d.config.Keyring.Delete(ctx, fsp, d.config.Keyring.Held(fsp).Revision)
	switch {
	case err == nil:
		d.config.Logger.LogAttrs(ctx, obs.LevelAudit, "the file of a key is gone, and the key is deleted", obs.Event("keyupdate.directory-deleted"), obs.FSP(fsp))
	case !soon(err) && d.missing[fsp] == 2:
		d.config.Logger.LogAttrs(ctx, slog.LevelWarn, "the key of a file that is gone could not be deleted", obs.Event("keyupdate.directory-declined"), obs.FSP(fsp), obs.Err(err))
	}
}

// news says whether trouble is another than what was told before.
func news(told *string, err error) bool {
	if *told == err.Error() {
		return false
	}
	*told = err.Error()
	return true
}
