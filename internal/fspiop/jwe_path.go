package fspiop

import (
	"errors"
	"slices"
	"strings"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// Limits of what is encrypted in one message. A field name is a String(1..512) ("Encryption" v1.1, table 3). The number of
// fields bounds the private operations one request can ask for; the header of that many fields is as long as most HTTP
// servers take.
const (
	maxFieldName = 512
	maxFields    = 32
)

var (
	errNoPath    = errors.New("a field name is no dotted path of 1 to 512 printable characters")
	errTwicePath = errors.New("two field names are equal, or one lies within the other")
)

// checkPaths says whether field names are distinct paths, none within another: of a field within an encrypted one, nobody
// could say whether it was encrypted before or after.
func checkPaths(names []string) error {
	for i, name := range names {
		if !validPath(name) {
			return fault.New(fault.Invalid, "a field's name must be a dotted path of 1 to 512 printable characters").Because(errNoPath)
		}
		for _, other := range names[:i] {
			if name == other || strings.HasPrefix(name, other+".") || strings.HasPrefix(other, name+".") {
				return fault.New(fault.Invalid, "two fields are the same, or one lies within the other").Because(errTwicePath)
			}
		}
	}
	return nil
}

func validPath(name string) bool {
	if name == "" || len(name) > maxFieldName || !printable(name) {
		return false
	}
	return !slices.Contains(strings.Split(name, "."), "")
}

// parseBody reads a body whose fields are to be replaced. What is not replaced keeps its bytes, so numbers may be of any size;
// duplicate members are refused, because the recipient's reader could take the one that was not replaced.
func parseBody(body []byte) (*canon.Document, error) {
	if len(body) == 0 {
		return nil, fault.New(fault.Missing, "the body is missing")
	}
	doc, err := canon.Parse(body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the body is not JSON").Because(err)
	}
	if !doc.IsObject() {
		return nil, fault.New(fault.Invalid, "the body is not a JSON object")
	}
	if err = doc.AmbiguousCopied(); err != nil {
		return nil, fault.New(fault.Invalid, "readers may disagree on what the body says").Because(err)
	}
	return doc, nil
}

// locate finds the value at a dotted path. Paths lead through objects only: the text defines no way to name an element of an
// array.
func locate(doc *canon.Document, path string) (canon.Value, error) {
	value := doc.Root()
	for name := range strings.SplitSeq(path, ".") {
		next, ok := value.Member(name)
		switch {
		case !ok && value.Kind() == canon.Array:
			return canon.Value{}, fault.New(fault.Invalid, "a field's path leads into an array; name the array itself")
		case !ok:
			return canon.Value{}, fault.New(fault.Missing, "a field is not in the body")
		}
		value = next
	}
	return value, nil
}

// edit puts a text in the place of a part of the body.
type edit struct {
	start, end int
	text       []byte
}

// splice makes the edits, none of which overlaps another, and copies every other byte.
func splice(body []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	size := len(body)
	for _, e := range edits {
		size += len(e.text)
	}
	out, from := make([]byte, 0, size), 0
	for _, e := range edits {
		out = append(append(out, body[from:e.start]...), e.text...)
		from = e.end
	}
	return append(out, body[from:]...)
}
