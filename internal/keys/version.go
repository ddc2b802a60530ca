// Package keys is the key manager: series of versions, their life (NIST SP 800-57 part 1, section 7), which version a
// request may use now, and how new ones come in. It holds metadata and sealed blobs; clear bytes pass through it only on
// their way to a module.
package keys

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/store"
)

// The states of a key version (NIST SP 800-57 part 1, section 7; KMIP 1.4, section 9.1.3.2.18).
const (
	PreActive            = "PreActive"
	Active               = "Active"
	Suspended            = "Suspended"
	Deactivated          = "Deactivated"
	Compromised          = "Compromised"
	Destroyed            = "Destroyed"
	DestroyedCompromised = "DestroyedCompromised"
)

// The kinds of key object.
const (
	KindPublic  = "public"
	KindPrivate = "private"
	KindSecret  = "secret"
)

// Version is one immutable version of a key with its mutable record as of one revision. Do not change it.
type Version struct {
	Ref cpm.KeyRef
	// Space is the FSP the key belongs to.
	Space string
	Use   cpm.KeyUse
	// Row is the stored record; its sealed part can be opened only by the Manager.
	Row store.Object
	// Current says that no later version has taken its place in the series.
	Current bool
	// Deleted is the mark on the series, or on a version that was there when the series was deleted.
	Deleted bool
	// Policy is that of the series; nil is none.
	Policy *Policy
	// SeriesCreated is when the first version came in.
	SeriesCreated int64
}

// Private says whether the CPM holds the private half, or a secret key.
func (v *Version) Private() bool { return v.Row.Kind == KindPrivate || v.Row.Kind == KindSecret }

// has says whether the version has the part an operation needs. A secret key has no public half.
func (v *Version) has(half cpm.Half) bool {
	switch half {
	case cpm.PrivateHalf:
		return v.Private()
	case cpm.PublicHalf:
		return v.Row.Kind != KindSecret
	}
	return true
}

// Public is the public half.
func (v *Version) Public() (crypto.PublicKey, error) { return x509.ParsePKIXPublicKey(v.Row.Public) }

// Certificate is the DER of the certificate the version came in; nil if it came without.
func (v *Version) Certificate() []byte { return attrsOf(&v.Row).Certificate }

// CheckValue is the key check value of an AES key, in hexadecimal; empty for all other keys.
func (v *Version) CheckValue() string { return attrsOf(&v.Row).CheckValue }

// Algorithm is what the key is for. RSA keys for encryption were once stored with the name of a signature algorithm; the
// record stays, because the sealed bytes are bound to it.
func (v *Version) Algorithm() string {
	if v.Use == cpm.UseEncryption {
		switch v.Row.Algorithm {
		case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
			return RSAOAEP256
		}
	}
	return v.Row.Algorithm
}

// State is the effective state: the stored one and the dates, judged at an instant.
func (v *Version) State(now time.Time) string {
	at := store.Micros(now)
	switch {
	case v.Row.State != PreActive && v.Row.State != Active:
		return v.Row.State
	case v.Row.NotAfter != 0 && at >= v.Row.NotAfter:
		return Deactivated
	case v.Row.NotBefore != 0 && at < v.Row.NotBefore:
		return PreActive
	}
	return Active
}

// mayProtect says whether the version may sign or encrypt what is new.
func (v *Version) mayProtect(now time.Time) bool {
	return !v.Deleted && v.State(now) == Active && !v.superseded(now, 0)
}

// InForce says whether the version is the one of its key that protects now: Active, and nothing has taken its place yet, though
// another may be there that will.
func (v *Version) InForce(now time.Time) bool { return v.mayProtect(now) }

// mayRecover says whether the version may decrypt: Deactivated versions too (NIST SP 800-57 part 1, section 7.4).
func (v *Version) mayRecover(now time.Time) bool {
	state := v.State(now)
	return !v.Deleted && (state == Active || state == Deactivated)
}

// mayServe says whether some request may use the version, now or later. A Deactivated one still recovers what was protected with
// it, unless it is for signatures, of which only those of Active versions are made or verified.
func (v *Version) mayServe(now time.Time) bool {
	signs := v.Use == cpm.UseSignature || v.Use == cpm.UseUpdate || v.Use == cpm.UseDataSignature
	state := v.State(now)
	return !v.Deleted && (state == Active || state == PreActive || state == Deactivated && !signs)
}

// mayProcess says whether signatures may be verified with the version: a superseded one still for the overlap.
func (v *Version) mayProcess(now time.Time, overlap time.Duration) bool {
	return !v.Deleted && v.State(now) == Active && !v.superseded(now, overlap)
}

func (v *Version) superseded(now time.Time, overlap time.Duration) bool {
	return v.Row.SupersededAt != 0 && store.Micros(now) >= v.Row.SupersededAt+overlap.Microseconds()
}

// String is the key's name and version.
func (v *Version) String() string { return fmt.Sprintf("%s/%d", v.Ref.Name, v.Ref.Version) }

// backupTime is how a backup's name writes the date-time.
const backupTime = "20060102T150405.000000Z"

// Backup is the name a superseded version goes by: name, version and when it was superseded, so that two backups of one
// second differ.
func (v *Version) Backup() string {
	return fmt.Sprintf("%s_v%d_%s", v.Ref.Name, v.Ref.Version, store.Time(v.Row.SupersededAt).Format(backupTime))
}
