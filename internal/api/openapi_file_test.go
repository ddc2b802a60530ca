package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write docs/openapi.json again")

// docs/openapi.json is what a CPM hands out, in lines, for people who read it without one.
func TestOpenAPIDocumentationIsCurrent(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits()
	var want bytes.Buffer
	if err := json.Indent(&want, newDocument(newOperations(), &limits), "", " "); err != nil {
		t.Fatal(err)
	}
	want.WriteByte('\n')
	file := filepath.Join("..", "..", "docs", "openapi.json")
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/openapi.json is not current; run: go test ./internal/api -run Documentation -update")
	}
}
