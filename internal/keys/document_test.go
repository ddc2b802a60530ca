package keys_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/store"
)

var update = flag.Bool("update", false, "write the example of docs/key-updates.md")

// seeds are those of RFC 8032, section 7.1, TEST 1 and TEST 2.
const (
	updateSeed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	newSeed    = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
)

func edwards(t *testing.T, seed string) (private secret.Bytes, privateText, public string, spki []byte) {
	t.Helper()
	b, err := hex.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(b)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if spki, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		t.Fatal(err)
	}
	privateText = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	public = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	return secret.Take([]byte(privateText)), privateText, public, spki
}

// The example of the document is made of the keys in it, and is accepted.
func TestDocumentationHasAnExampleThatIsAccepted(t *testing.T) {
	t.Parallel()
	updateKey, updateText, _, updateSPKI := edwards(t, updateSeed)
	newKey, newText, newPublic, newSPKI := edwards(t, newSeed)
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	jws, err := keys.Update{
		Action: keys.ActionAdd, FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Key: newPublic, Seq: 1769860800000,
		Nonce: "Zm9ydHktdHdvLWJ5dGVz", Expires: at.Add(5 * time.Minute),
	}.Sign("updates", updateKey, newKey)
	if err != nil {
		t.Fatal(err)
	}
	example := fmt.Sprintf("The update key:\n\n```\n%s```\n\nThe new key:\n\n```\n%s```\n\nWhat the new key signs as proof:\n\n```\n%s\n```\n\n"+
		"The update, as it is sent (one line), good until %s:\n\n```\n%s\n```\n",
		updateText, newText, keys.ProofText("payerfsp", "jws", 1769860800000, newSPKI), at.Add(5*time.Minute).Format(time.RFC3339), jws)

	const file, begin, end = "../../docs/key-updates.md", "<!-- example -->\n", "<!-- end of example -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	committed, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatal("the document has no place for the example")
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+example+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		committed = example
	}
	if diff := cmp.Diff(example, committed); diff != "" {
		t.Fatalf("docs/key-updates.md is not up to date, write it with -update:\n%s", diff)
	}

	lines := strings.Split(strings.TrimSuffix(strings.TrimSpace(committed), "\n```"), "\n")
	got, err := keys.ParseUpdate([]byte(lines[len(lines)-1]))
	if err != nil {
		t.Fatal(err)
	}
	signer := &keys.Version{Row: store.Object{Public: updateSPKI}}
	if got.VerifiedBy([]*keys.Version{signer}) != signer {
		t.Error("the update key does not verify it")
	}
	if err := got.CheckTime(at); err != nil {
		t.Error(err)
	}
	public, err := keys.ReadPublicKey(got.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.CheckProof(public); err != nil {
		t.Error(err)
	}
}
