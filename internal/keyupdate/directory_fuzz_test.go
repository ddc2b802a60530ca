package keyupdate

import (
	"encoding/pem"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzPublicIn(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		public, err := publicIn(text)
		if err != nil {
			return
		}
		again, err := publicIn(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
		if diff := cmp.Diff(public, again); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}
