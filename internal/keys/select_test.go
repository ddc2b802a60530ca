package keys

import (
	"errors"
	"testing"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/store"
)

// A ciphertext names its key: of the versions of the FSP and the use that one alone will do, superseded or not.
func TestAVersionNamedByIDIsTheOnlyOneThatWillDo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old := b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
	b.mustAdd(Addition{Name: "jws", Generate: "ES256"})
	other := b.mustAdd(Addition{FSP: "payeefsp", Name: "jws", Generate: "ES256"})
	wish := Wish{FSP: "payerfsp", Use: cpm.UseSignature, Half: cpm.PrivateHalf, ID: old.ID}
	found, _, err := b.index().Select(wish, b.now)
	if err != nil || len(found) != 1 || found[0].Ref != old {
		t.Errorf("found %v: %v", found, err)
	}
	wish.Use = cpm.UseEncryption
	if _, _, err := b.index().Select(wish, b.now); !errors.Is(err, fault.NotFound) {
		t.Errorf("for another use: %v", err)
	}
	wish.Use, wish.ID = cpm.UseSignature, other.ID
	if _, _, err := b.index().Select(wish, b.now); !errors.Is(err, fault.NotFound) {
		t.Errorf("of another FSP: %v", err)
	}
	b.must(b.change(func(tx *store.Tx) error { _, err := b.manager.Delete(tx, "payerfsp", "jws", "", "x"); return err }))
	wish.ID = old.ID
	if _, _, err := b.index().Select(wish, b.now); !errors.Is(err, fault.State) {
		t.Errorf("of a deleted key: %v", err)
	}
}
