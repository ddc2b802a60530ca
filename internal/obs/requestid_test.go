package obs

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestRequestIDsAreULIDs(t *testing.T) {
	t.Parallel()
	// The greatest time and the time of the ULID specification's own example, 1469918176385 ms.
	ones := [10]byte(bytes.Repeat([]byte{0xff}, 10))
	for _, test := range []struct {
		ms     int64
		random [10]byte
		want   string
	}{
		{0, [10]byte{}, "00000000000000000000000000"},
		{1<<48 - 1, ones, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
		{1469918176385, [10]byte{}, "01ARYZ6S410000000000000000"},
		{1469918176385, [10]byte{9: 1}, "01ARYZ6S410000000000000001"},
		{1469918176385, [10]byte{0: 0x80}, "01ARYZ6S41G000000000000000"},
	} {
		if got := requestID(time.UnixMilli(test.ms), test.random); got != test.want {
			t.Errorf("%d: got %s, want %s", test.ms, got, test.want)
		}
	}
}

func TestRequestIDsDifferAndAreInOrderOfTime(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := NewRequestID()
		if seen[id] || len(id) != 26 || strings.Trim(id, crockford) != "" {
			t.Fatalf("got %s", id)
		}
		seen[id] = true
	}
	at := time.UnixMilli(1469918176385)
	for i := range 1000 {
		early := requestID(at, [10]byte(bytes.Repeat([]byte{0xff}, 10)))
		at = at.Add(time.Duration(i+1) * time.Millisecond)
		if late := requestID(at, [10]byte{}); late <= early {
			t.Fatalf("%s is not after %s", late, early)
		}
	}
}

func BenchmarkNewRequestID(b *testing.B) {
	for b.Loop() {
		NewRequestID()
	}
}
