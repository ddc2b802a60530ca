package cpm

import (
	"strings"
	"testing"
)

func TestTraceParents(t *testing.T) {
	t.Parallel()
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, c := range []struct{ what, in, id string }{
		{"the example of the recommendation", good, "4bf92f3577b34da6a3ce929d0e0e4736"},
		{"none", "", ""},
		{"another version", "01" + good[2:], ""},
		{"no trace-id", strings.Replace(good, "4bf92f3577b34da6a3ce929d0e0e4736", strings.Repeat("0", 32), 1), ""},
		{"no parent-id", strings.Replace(good, "00f067aa0ba902b7", strings.Repeat("0", 16), 1), ""},
		{"upper case", strings.ToUpper(good), ""},
		{"more", good + "-01", ""},
		{"less", good[:54], ""},
		{"a line end", good[:54] + "\n", ""},
		{"other separators", strings.ReplaceAll(good, "-", "_"), ""},
		{"a separator among the digits", good[:10] + "-" + good[11:], ""},
	} {
		got := ParseTraceParent(c.in)
		if got.ID() != c.id || (c.id == "") != (got == "") {
			t.Errorf("%s: %q with id %q", c.what, got, got.ID())
		}
	}
}
