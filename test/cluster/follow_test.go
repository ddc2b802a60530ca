package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

// gone is the verdict on a signature whose key was deleted, while the FSP has another one.
const gone = "signature-mismatch"

// TestWhatOneChangesHoldsOnBoth adds and deletes keys on one CPM and looks on the other. The times are reported.
func TestWhatOneChangesHoldsOnBoth(t *testing.T) {
	onServers(t, func(t *testing.T, s *storetest.Server) {
		a, b := pair(t, cpmtest.Config{Database: s.Database(t).Config()})
		var added, deleted []time.Duration
		for i := range 10 {
			name := fmt.Sprintf("k%d", i)
			must(t, a.try("key.add", "payerfsp/"+name, addition(name)))
			var one signed
			added = append(added, eventually(t, "the key signs on the other", func() (is bool) {
				var err error
				one, err = b.sign(name)
				return err == nil
			}))
			for _, r := range []*replica{a, b} {
				if verdict, err := r.verify(one); verdict != "valid" || err != nil {
					t.Errorf("%q, %v", verdict, err)
				}
			}
			began := time.Now()
			receipt, err := a.Admin.Apply(t.Context(), deletion(name))
			must(t, err)
			if n := len(receipt.Replicas.Confirmed); n+len(receipt.Replicas.Unconfirmed) != 2 {
				t.Errorf("the answer names %+v", receipt.Replicas)
			}
			if len(receipt.Replicas.Unconfirmed) != 0 { // a machine too busy to follow in time says so, and follows all the same
				for _, r := range []*replica{a, b} {
					eventually(t, "the deletion holds", func() bool { verdict, err := r.verify(one); return verdict == gone && err == nil })
				}
				continue
			}
			// Both have confirmed: nothing is waited for.
			for _, r := range []*replica{a, b} {
				if verdict, err := r.verify(one); verdict != gone || err != nil {
					t.Errorf("the deleted key verifies: %q, %v", verdict, err)
				}
			}
			deleted = append(deleted, time.Since(began))
		}
		if len(deleted) < 8 {
			t.Errorf("only %d of 10 deletions were confirmed by both in time", len(deleted))
		}
		t.Logf("a key added, from the answer of one CPM to the effect on the other: %s; a key deleted, from the request to the answer that both have confirmed: %s", figures(added), figures(deleted))
		must(t, b.try("fsp.suspend", "payeefsp", nil))
		eventually(t, "the suspension holds on the other", a.suspended)
		if a.revision() != b.revision() {
			t.Errorf("at revisions %d and %d", a.revision(), b.revision())
		}
	})
}
