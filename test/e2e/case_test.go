package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// leastCases is how many bad requests there are at least, so that a lost folder does not pass.
const leastCases = 45

// badRequest is one file of testdata/bad_requests. The runner makes a good message, which is answered well (Except says
// why it is not), then applies Edits and expects Want.
type badRequest struct {
	name string
	// What is wrong with the request, as a sentence.
	What string
	// Caller is whose certificate it comes with, see callers; "switch" if empty.
	Caller string
	// Operation is sign or verify.
	Operation string
	// FSP is asked for and has signed; "payerfsp" if empty. AskFor is asked for in its place by the bad request.
	FSP, AskFor string
	// Draft changes the good message before it is signed, Signature says how that is done.
	Draft     []edit
	Signature signature
	// Unsound says that the message is refused even without the edits, so that there is no good one to begin with.
	Unsound bool
	Edits   []edit
	// HTTP changes how the JSON port is spoken to; the case is then for that port alone.
	HTTP *httpCase
	// Doors are those the case is sent through; all if empty.
	Doors []string
	Want  want
}

// httpCase is a request of the JSON port.
type httpCase struct {
	// Method is POST if empty, Path that of the operation.
	Method, Path string
	Header       map[string]string
	// Body names what is sent, see bodies; Text, Size and Count are for those who want them.
	Body, Text  string
	Size, Count int
	// Chunked sends no Content-Length; Slowly one byte each 100 ms; Silent announces the body and never sends it.
	Chunked, Slowly, Silent bool
}

// want is the answer.
type want struct {
	// Status is that of HTTP; 0 is a handshake that fails.
	Status int
	// Code is the FSPIOP errorCode; empty is a good answer.
	Code string
	// Kind is the kind of the decline, Reason why a signature does not count.
	Kind, Reason string
}

// handshake is the Kind of a connection that does not come about.
const handshake = "handshake"

// badRequests reads the cases.
func badRequests(t *testing.T) []badRequest {
	t.Helper()
	files, err := fs.Glob(os.DirFS("testdata/bad_requests"), "*.json")
	must(t, err)
	if len(files) < leastCases {
		t.Fatalf("only %d bad requests", len(files))
	}
	var all []badRequest
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("testdata/bad_requests", file))
		must(t, err)
		c := badRequest{name: strings.TrimSuffix(file, ".json"), Caller: "switch", FSP: "payerfsp"}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if c.AskFor == "" {
			c.AskFor = c.FSP
		}
		if err := c.check(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		all = append(all, c)
	}
	return all
}

// check holds the case against the tables of codes and reasons, so that a case cannot want what the CPM never says.
func (c *badRequest) check() error {
	kind, known := fault.KindNamed(c.Want.Kind)
	switch {
	case !strings.HasSuffix(c.What, "."):
		return fmt.Errorf("say what is wrong in a sentence")
	case c.Operation != "sign" && c.Operation != "verify":
		return fmt.Errorf("the operation is sign or verify")
	case c.Want.Kind == handshake:
		return nil
	case c.Want.Reason != "":
		if !slices.Contains(fspiop.Reasons(), fspiop.Reason(c.Want.Reason)) || c.Want.Code != "3105" || c.Want.Status != 200 {
			return fmt.Errorf("a reason has code 3105 and status 200")
		}
		return nil
	case c.Want.Kind == "":
		return nil
	case !known:
		return fmt.Errorf("kind %q is not known", c.Want.Kind)
	case c.Want.Status == 405 && c.Want.Code == "3000", c.HTTP != nil && c.HTTP.Path == "/v1/batch" && c.Want.Status == 200:
		return nil
	case kind.Code().FSPIOP != c.Want.Code || kind.Code().HTTP != c.Want.Status:
		return fmt.Errorf("kind %s has code %s and status %d", kind.String(), kind.Code().FSPIOP, kind.Code().HTTP)
	}
	return nil
}
