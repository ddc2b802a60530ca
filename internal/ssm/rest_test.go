package ssm

import (
	"testing"
	"time"
)

// A rest that took long is made up for before the next, up to a bound.
func TestRestsAreMadeUpFor(t *testing.T) {
	t.Parallel()
	r := rest{owed: maxOwed}
	for _, want := range []time.Duration{maxOwed / 2, maxOwed / 4} {
		if r.take(r.owed-want, true); r.owed != want {
			t.Errorf("owes %v, not %v", r.owed, want)
		}
	}
	if r.take(time.Hour, true); r.owed == maxOwed/4 || r.owed > maxOwed {
		t.Errorf("owes %v after a rest", r.owed)
	}
	for d, want := range map[time.Duration]time.Duration{short - 1: 0, short: short, time.Hour: time.Hour} {
		if got := owing(d); got != want {
			t.Errorf("owes %v for %v", got, d)
		}
	}
	r.blind = 3 * time.Hour
	if r.take(time.Hour, true); r.blind != 2*time.Hour {
		t.Errorf("looks out in %v", r.blind)
	}
}
