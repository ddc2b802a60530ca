package server

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"
)

// A process that begins has only memory that is fresh. That of tests before this one may be used again, and has to be cleared then; what
// there is of it is kept until there is no more.
func TestSpareMemoryIsNotTouched(t *testing.T) {
	t.Setenv("GOGC", "")
	var kept []spare
	grown := math.MaxInt
	for len(kept) < 8 && grown > garbage/4 {
		before := resident(t)
		kept = append(kept, tune())
		grown = resident(t) - before
		if n := len(kept[len(kept)-1]); n != garbage {
			t.Fatalf("%d bytes spare", n)
		}
	}
	if grown > garbage/4 {
		t.Errorf("the process grew by %d bytes", grown)
	}
	runtime.KeepAlive(kept)
}

func TestGOGCSpeaksForItself(t *testing.T) {
	t.Setenv("GOGC", "50")
	if kept := tune(); kept != nil {
		t.Errorf("%d bytes spare", len(kept))
	}
}

// resident is how much memory the system has given to this process.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var all, present int
	if _, err := fmt.Sscan(string(text), &all, &present); err != nil {
		t.Fatal(err)
	}
	return present * os.Getpagesize()
}
