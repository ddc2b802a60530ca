package core

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/jwk"
	"github.com/mojaloop/cpm/internal/keys"
)

// mostFresh is how long a reader may keep published keys: not longer than Mojaloop's services wait between two looks
// for new ones. With a short overlap it is shorter, so that a rotation reaches readers before the old key ends.
const mostFresh = time.Minute

// PublishedSet gives the keys of an FSP that the caller may use, as a JWK Set (RFC 7517): its signature keys if it may verify
// for the FSP, its encryption keys if it may encrypt for it. Without a name it is those of the hub (setting "hub").
func (c *Core) PublishedSet(caller cpm.Principal, f cpm.FSP) (*cpm.Publication, error) {
	p, err := c.reading(caller, f)
	if err != nil {
		return nil, err
	}
	return c.published.get(p, func() (*cpm.Publication, time.Time) { return p.set(c.config.Now()) }, c.config.Now()), nil
}

// PublishedKey gives the current version of one key of an FSP as PEM (SubjectPublicKeyInfo; RFC 7468, section 13).
func (c *Core) PublishedKey(caller cpm.Principal, f cpm.FSP, name string) (*cpm.Publication, error) {
	p, err := c.reading(caller, f)
	if err != nil {
		return nil, err
	}
	now := c.config.Now()
	versions, until := p.versions(now)
	for _, v := range versions {
		if v.Ref.Name == name && v.InForce(now) {
			text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: v.Row.Public})
			return publication(text, "application/x-pem-file", p.fresh(now, until)), nil
		}
	}
	return nil, fault.New(fault.NotFound, "the FSP publishes no key of this name")
}

// reader is a caller with what it may read.
type reader struct {
	snapshot *Snapshot
	fsp      cpm.FSP
	uses     uses
}

// uses says keys of which uses are read.
type uses struct{ signature, encryption bool }

// reading says what the caller may read. Grants are asked before anything else, so that a caller without any learns nothing.
func (c *Core) reading(caller cpm.Principal, f cpm.FSP) (*reader, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.inFlight.Done()
	p := &reader{snapshot: c.snapshot.Load(), fsp: f}
	if err := c.fresh(p.snapshot); err != nil {
		return nil, err
	}
	if f == "" {
		p.fsp = p.snapshot.Settings.Hub
	}
	if !p.fsp.Valid() {
		return nil, fault.New(fault.Invalid, "the name of the FSP cannot be one")
	}
	verify := p.snapshot.Rules.Allow(caller, p.fsp, cpm.JWSVerify)
	encrypt := p.snapshot.Rules.Allow(caller, p.fsp, cpm.JWEEncrypt)
	p.uses = uses{signature: verify == nil, encryption: encrypt == nil}
	if verify != nil && encrypt != nil {
		return nil, fault.New(fault.Denied, "this caller may neither verify nor encrypt for the FSP; ask the operator for a grant")
	}
	_, err := p.snapshot.active(p.fsp)
	return p, err
}

// versions lists what the reader may have, and until when that is so.
func (p *reader) versions(now time.Time) (mine []*keys.Version, until time.Time) {
	all, until := p.snapshot.Keys.Published(p.fsp, now, p.snapshot.Settings.Overlap)
	for _, v := range all {
		if v.Use == cpm.UseSignature && p.uses.signature || v.Use == cpm.UseEncryption && p.uses.encryption {
			mine = append(mine, v)
		}
	}
	return mine, until
}

// set makes the document and says until when it holds.
func (p *reader) set(now time.Time) (*cpm.Publication, time.Time) {
	var set jwk.Set
	versions, until := p.versions(now)
	for _, v := range versions {
		public, err := v.Public()
		if err != nil {
			continue // a kind of key that cannot be read is of no use to a reader
		}
		k, err := jwk.Of(public)
		if err != nil {
			continue
		}
		k.Use, k.Algorithm = string(v.Use), v.Algorithm()
		set.Add(k)
	}
	return publication(set.JSON(), "application/jwk-set+json", p.fresh(now, until)), until
}

// fresh is how long a reader may keep what it is given now.
func (p *reader) fresh(now, until time.Time) time.Duration {
	d := min(mostFresh, p.snapshot.Settings.Overlap/2)
	if !until.IsZero() {
		d = min(d, until.Sub(now))
	}
	return max(0, d).Truncate(time.Second)
}

func publication(body []byte, media string, fresh time.Duration) *cpm.Publication {
	sum := sha256.Sum256(body)
	return &cpm.Publication{Body: body, Type: media, Tag: base64.RawURLEncoding.EncodeToString(sum[:18]), Fresh: fresh}
}

// publications keeps the sets of one revision: at most three for each FSP, however many callers ask.
type publications struct {
	mu   sync.Mutex
	of   *Snapshot
	sets map[kept]keptSet
}

type kept struct {
	fsp  cpm.FSP
	uses uses
}

type keptSet struct {
	document *cpm.Publication
	// turn is when it has to be made again because of the dates in it.
	turn time.Time
}

// get is the set a reader may have, made again when the configuration or a date has changed it. How long it stays fresh
// is bounded by the next date, so that it is made again also when that is near.
func (c *publications) get(p *reader, build func() (*cpm.Publication, time.Time), now time.Time) *cpm.Publication {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of != p.snapshot {
		c.of, c.sets = p.snapshot, map[kept]keptSet{}
	}
	k := kept{p.fsp, p.uses}
	if s, ok := c.sets[k]; ok && (s.turn.IsZero() || now.Before(s.turn)) {
		return s.document
	}
	document, until := build()
	s := keptSet{document: document, turn: until}
	if !until.IsZero() {
		s.turn = until.Add(-document.Fresh)
	}
	c.sets[k] = s
	return document
}
