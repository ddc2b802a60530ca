package keys

import (
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/store"
)

// publishAhead is how long before its beginning a signature key is published, so that verifiers have it when it is first used.
const publishAhead = 24 * time.Hour

// Published lists the versions of an FSP whose public halves others may fetch, the newest first, and when the list will be
// another one without a change of the configuration; the zero time is never.
//
// Signature keys are published from a day before they begin to the end of their overlap. Encryption keys only while
// they are what a sender should use: one that encrypts for a key which is not in force, or will soon be gone, makes a
// message nobody can read. Keys of other uses are never published: a signature over bytes of the caller's choice, made
// with a key of the general operations, must not pass for that of a message.
func (x *Index) Published(f cpm.FSP, now time.Time, overlap time.Duration) (published []*Version, until time.Time) {
	for _, v := range x.Of(f, "") {
		if v.mayBePublished(now, overlap) {
			published = append(published, v)
		}
		for _, date := range []int64{
			v.Row.NotBefore - publishAhead.Microseconds(), v.Row.NotBefore, v.Row.NotAfter,
			v.Row.SupersededAt, v.Row.SupersededAt + overlap.Microseconds(),
		} {
			if at := store.Time(date); at.After(now) && (until.IsZero() || at.Before(until)) {
				until = at
			}
		}
	}
	return published, until
}

func (v *Version) mayBePublished(now time.Time, overlap time.Duration) bool {
	switch v.Use {
	case cpm.UseSignature:
		soon := v.State(now) == PreActive && v.Row.NotBefore != 0 && v.Row.NotBefore <= store.Micros(now.Add(publishAhead))
		return v.mayProcess(now, overlap) || soon && !v.Deleted && !v.superseded(now, 0)
	case cpm.UseEncryption:
		return v.has(cpm.PublicHalf) && v.mayProtect(now)
	}
	return false
}
