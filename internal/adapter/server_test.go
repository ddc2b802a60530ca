package adapter

import (
	"testing"
	"testing/synctest"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// An id is answered once: not again when it is used again, when it is even, or when the Ask is of another link.
func TestAnIdIsAnsweredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serverOf(module{do: echo}, nil)
		c, _ := join(t, s)
		defer c.Close()
		l := s.links.all()[0]
		out := newOutbox[*cpmv1.WorkFrame](16)
		for _, id := range []uint64{1, 1, 2, 5, 3, 5} {
			l.intake.begin(out, id, &cpmv1.Ask{Epoch: l.intake.epoch, Operation: "jws.sign"})
		}
		l.intake.begin(out, 7, &cpmv1.Ask{Epoch: l.intake.epoch + 1})
		synctest.Wait()
		if n := len(out.queue); n != 2 {
			t.Errorf("%d answers to the ids 1 and 5", n)
		}
	})
}
