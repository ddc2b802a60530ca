package keyupdate

import (
	"bytes"
	"context"
	"encoding/pem"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/obs"
)

// A Sink asks every askEvery whether something changed. Each time after looks of these it looks without being told: a key
// also begins or ends by its dates, and what could not be written is tried again.
const (
	askEvery = 250 * time.Millisecond
	looks    = 20
)

// SinkConfig is what a Sink is made of.
type SinkConfig struct {
	Path string
	// Keys gives each FSP's verification key as of now, as SubjectPublicKeyInfo.
	Keys func() map[cpm.FSP][]byte
	// Revision is the number that grows with every change of the keys.
	Revision func() int64
	Logger   *slog.Logger
}

// Sink keeps a directory of NAME.pem files, each FSP's current verification key, for services that read such a directory. It
// changes as a whole, as Kubernetes' volumes do: ..data is a link to a directory that is never changed, and is swapped. A key
// that is deleted or whose FSP is suspended is taken out.
type Sink struct {
	config SinkConfig
	tree   tree
	// written is what the directory holds since the last success; nil before it.
	written  map[string][]byte
	revision int64
	trouble  string
}

// NewSink makes a Sink.
func NewSink(c SinkConfig) *Sink {
	c.Logger = c.Logger.With(obs.Component("keyupdate"))
	return &Sink{config: c, tree: tree{path: c.Path}}
}

// Run keeps the directory until ctx ends, and leaves it as it is then.
func (s *Sink) Run(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n%looks == 0 || s.config.Revision() != s.revision {
			s.follow(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// follow makes the directory agree with the keys.
func (s *Sink) follow(ctx context.Context) {
	s.revision = s.config.Revision()
	files := s.files(ctx)
	if s.written != nil && maps.EqualFunc(s.written, files, bytes.Equal) && s.tree.intact() {
		return
	}
	if err := s.tree.write(files, s.written); err != nil {
		if s.trouble != err.Error() {
			s.trouble = err.Error()
			s.config.Logger.LogAttrs(ctx, slog.LevelError, "the directory of keys for other services cannot be written; it is as it was",
				obs.Event("keyupdate.sink-failed"), slog.String("path", s.config.Path), obs.Err(err))
		}
		return
	}
	s.written, s.trouble = files, ""
	s.config.Logger.LogAttrs(ctx, slog.LevelInfo, "the directory of keys for other services is written", obs.Event("keyupdate.sink-written"),
		slog.String("path", s.config.Path), slog.Int("files", len(files)), slog.Int64("revision", s.revision))
}

// files are the names and contents the directory is to have. A name that would be hidden is left out.
func (s *Sink) files(ctx context.Context) map[string][]byte {
	files := map[string][]byte{}
	for fsp, spki := range s.config.Keys() {
		if !fsp.Valid() || strings.HasPrefix(string(fsp), ".") {
			s.config.Logger.LogAttrs(ctx, slog.LevelDebug, "an FSP has no name for a file", obs.Event("keyupdate.sink-skipped"), obs.FSP(fsp))
			continue
		}
		files[string(fsp)+suffix] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	}
	return files
}
