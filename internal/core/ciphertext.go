package core

import (
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keys"
)

// selectByCiphertext finds the one version that a ciphertext needs, and when it shall be put under another one (rewrap) that
// one before it: the current version of the same key, unless the request names another key.
func (t *trip) selectByCiphertext(wish keys.Wish, ciphertext []byte, now time.Time) ([]*keys.Version, error) {
	id, ok := cpm.CiphertextKey(ciphertext)
	if !ok {
		return nil, notDecrypted(nil)
	}
	old := wish
	old.ID, old.Protect = id, false
	if wish.Protect {
		old.Key = nil
	}
	found, _, err := t.snapshot.Keys.Select(old, now)
	if err != nil {
		return nil, notDecrypted(err)
	}
	if !wish.Protect {
		return found, nil
	}
	if wish.Key.GetName() == "" {
		wish.Key = &cpmv1.KeySelector{Name: found[0].Ref.Name, Version: wish.Key.GetVersion()}
	}
	current, _, err := t.snapshot.Keys.Select(wish, now)
	if err != nil {
		return nil, err
	}
	return append(current, found...), nil
}

// notDecrypted declines a ciphertext in the words of a failed decryption: the caller does not learn which keys there are.
func notDecrypted(cause error) error {
	return fault.New(fault.Refused, "%s", cpm.NotDecrypted).Because(cause)
}
