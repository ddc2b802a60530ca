package command

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/secret"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func TestDecodedChangeKeepsNothingOfTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"key.add","target":"a/b","document":{"x":[1]},"secret":"c2VjcmV0","requestId":"r"}`)
	change, err := decodeChange(body)
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	if change.Action != "key.add" || change.Target != "a/b" || string(change.Document) != `{"x":[1]}` || change.RequestID != "r" {
		t.Errorf("change %+v", change)
	}
	if got := string(change.Secret.Open(secret.Token{})); got != "secret" {
		t.Error("the secret was part of the body")
	}
}

func TestChangeThatCannotBeWrittenIsNotSent(t *testing.T) {
	t.Parallel()
	if _, err := encodeChange(core.Change{Action: "a", Document: []byte("{")}); err == nil {
		t.Error("half a document was encoded")
	}
}

// FuzzDecodeChange: whatever is taken is a change that can be written again and read as the same.
func FuzzDecodeChange(f *testing.F) {
	for _, seed := range []string{
		`{"action":"config.apply","document":{"fsps":[{"name":"a"}]}}`,
		`{"action":"key.add","target":"payerfsp/sig","document":{"fsp":"payerfsp"},"secret":"LS0tLS1CRUdJTg==","expectRevision":12,"requestId":"01J"}`,
		`{"action":"fsp.suspend","target":"payer\u0066sp","expectRevision":0}`,
		`{"action":"a","secret":""}`, `{"action":"a","secret":"QUJD\n"}`, `{"action":"a","action":"b"}`, `{"document":{}}`,
		`{"action":"a","expectRevision":9223372036854775807}`, `{"action":"a","expectRevision":1e3}`, `[]`, ``, `{"action":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		change, err := decodeChange(body)
		if err != nil {
			return
		}
		key := bytes.Clone(change.Secret.Open(secret.Token{}))
		text, err := encodeChange(change)
		if err != nil {
			t.Fatalf("taken, and cannot be written: %v", err)
		}
		again, err := decodeChange(text)
		if err != nil {
			t.Fatalf("written, and cannot be read: %v\n%s", err, text)
		}
		if !bytes.Equal(key, again.Secret.Open(secret.Token{})) {
			t.Fatal("the secret changed")
		}
		if len(change.Document) > 0 {
			if diff := cmp.Diff(sorted(t, change.Document), sorted(t, again.Document)); diff != "" {
				t.Fatal(diff)
			}
		}
		if change.Action != again.Action || change.Target != again.Target || change.ExpectRevision != again.ExpectRevision || change.RequestID != again.RequestID {
			t.Fatalf("%+v became %+v", change, again)
		}
	})
}

// sorted takes spaces and the spelling of escapes out.
func sorted(t *testing.T, text []byte) string {
	t.Helper()
	doc, err := canon.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc.AppendSorted(nil))
}
