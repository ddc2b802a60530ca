package server

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

func TestSpareMemoryIsNotTouched(t *testing.T) {
	t.Setenv("GOGC", "")
	before := resident(t)
	kept := tune()
	if len(kept) != garbage {
		t.Fatalf("%d bytes spare", len(kept))
	}
	if grown := resident(t) - before; grown > garbage/4 {
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
