package core

import (
	"crypto/sha256"
	"testing"
	"time"
)

// A message that is forgotten each time it comes takes one place, and pushes no other out.
func TestAForgottenMessageTakesOnePlace(t *testing.T) {
	t.Parallel()
	r, now := newReplays(), time.Now()
	first, again := [sha256.Size]byte{1}, [sha256.Size]byte{2}
	if !r.fresh(first, now, time.Hour) {
		t.Error("the first message was there before")
	}
	for range 10 {
		if !r.fresh(again, now, time.Hour) {
			t.Error("the forgotten message is remembered")
		}
		r.forget(again)
	}
	r.forget([sha256.Size]byte{3})
	if len(r.order) != 2 || len(r.seen) != 2 {
		t.Errorf("%d places, %d messages", len(r.order), len(r.seen))
	}
	if !r.fresh(again, now, time.Hour) || r.fresh(again, now, time.Hour) || r.fresh(first, now, time.Hour) {
		t.Error("what was not forgotten is not remembered")
	}
	if !r.fresh(again, now.Add(time.Hour), time.Hour) || len(r.order) != 1 {
		t.Errorf("%d places after the window", len(r.order))
	}
}
