package fspiop

import (
	"crypto"
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/mojaloop/cpm/internal/fault"
)

// rfc7516 is the example of RFC 7516, appendix A.1. Its content key is wrapped with RSA-OAEP of SHA-1, which FSPIOP does not have.
const (
	rfc7516Header = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ"
	rfc7516IV     = "48V1_ALb6US04U3b"
	rfc7516Text   = "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A"
	rfc7516Tag    = "XFBoMYUZodetZdvTiFvSkQ"
)

var rfc7516Key = []byte{
	177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110, 91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252,
}

func TestTheContentOfRFC7516IsDecryptedAndItsAlgorithmRefused(t *testing.T) {
	t.Parallel()
	octets := func(text string) []byte { return must(decodeBase64URL(text)) }
	got, err := open(rfc7516Key, octets(rfc7516IV), octets(rfc7516Text), octets(rfc7516Tag), rfc7516Header)
	if err != nil || string(got) != "The true sign of intelligence is not knowledge but imagination." {
		t.Errorf("%q %v", got, err)
	}
	wrapped := must(rsa.EncryptOAEP(sha1.New(), rand.Reader, &exampleKey().PublicKey, rfc7516Key, nil))
	compact := strings.Join([]string{rfc7516Header, base64.RawURLEncoding.EncodeToString(wrapped), rfc7516IV, rfc7516Text, rfc7516Tag}, ".")
	if _, err = decryptCompact(compact, []crypto.Decrypter{exampleKey()}); !errors.Is(err, fault.Refused) {
		t.Errorf("RSA-OAEP: %v", err)
	}
}

// TestTheContentsOfRFC7520AreDecrypted takes the examples with AES-GCM (sections 5.2, 5.6, 5.8 and 5.9) from the vectors. How
// their content keys are wrapped is not FSPIOP's, and the test's matter; the content is decrypted, and inflated, by the product.
func TestTheContentsOfRFC7520AreDecrypted(t *testing.T) {
	t.Parallel()
	file := readVectors[struct {
		TestGroups []jweGroup `json:"testGroups"`
	}](t, "json_web_encryption_test.json")
	found := 0
	for _, g := range file.TestGroups {
		if g.Comment != "rfc_7520" {
			continue
		}
		for _, v := range g.Tests {
			var compact string
			must(0, json.Unmarshal(v.Jwe, &compact))
			part := strings.Split(compact, ".")
			h := must(parseHeader(part[0]))
			cek := contentKey(t, g.Private, h.text("alg"), must(decodeBase64URL(part[1])))
			c, gcm := contentCipherNamed(h.text("enc"))
			if cek == nil || !gcm {
				continue
			}
			found++
			plaintext, err := open(cek, must(decodeBase64URL(part[2])), must(decodeBase64URL(part[3])), must(decodeBase64URL(part[4])), part[0])
			if err == nil && h.text("zip") == "DEF" {
				plaintext, err = inflate(plaintext, maxInflated)
			}
			if err != nil || len(cek) != c.keySize || !strings.HasPrefix(string(plaintext), "You can trust us to stick with you through thick and thin") {
				t.Errorf("%s: %q %v", v.Comment, plaintext, err)
			}
		}
	}
	if found != 4 {
		t.Errorf("%d examples", found)
	}
}

// contentKey unwraps as the examples wrap; nil for key agreement, and for ciphers of another kind.
func contentKey(t *testing.T, private []byte, alg string, wrapped []byte) []byte {
	t.Helper()
	var k struct {
		privateWebKey
		K string
	}
	must(0, json.Unmarshal(private, &k))
	switch alg {
	case "dir":
		return must(decodeBase64URL(k.K))
	case "A128KW":
		return unwrapAES(t, must(decodeBase64URL(k.K)), wrapped)
	case "RSA-OAEP":
		return must(k.decrypter().Decrypt(nil, wrapped, &rsa.OAEPOptions{Hash: crypto.SHA1}))
	}
	return nil
}

// unwrapAES is RFC 3394, section 2.2.2.
func unwrapAES(t *testing.T, key, wrapped []byte) []byte {
	t.Helper()
	block, n := must(aes.NewCipher(key)), len(wrapped)/8-1
	a, r := make([]byte, 16), append([]byte{}, wrapped[8:]...)
	copy(a, wrapped[:8])
	for j := 5; j >= 0; j-- {
		for i := n; i > 0; i-- {
			binary.BigEndian.PutUint64(a, binary.BigEndian.Uint64(a)^uint64(n*j+i))
			copy(a[8:], r[8*i-8:8*i])
			block.Decrypt(a, a)
			copy(r[8*i-8:], a[8:])
		}
	}
	if subtle.ConstantTimeCompare(a[:8], []byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}) != 1 {
		t.Fatal("the example's content key cannot be unwrapped")
	}
	return r
}

// Each element, with the ciphertext of its field, is a JWE that another implementation reads, and the other way round.
func TestAnotherImplementationReadsOursAndWeItsOwn(t *testing.T) {
	t.Parallel()
	for _, enc := range []string{"A128GCM", "A192GCM", "A256GCM"} {
		e, err := EncryptFields(rand.Reader, exampleKey().Public(), []byte(`{"f":{"b":[1, 2.50]},"g":7}`), []string{"f", "g"}, enc)
		if err != nil {
			t.Fatal(err)
		}
		var header struct{ EncryptedFields []map[string]string }
		var body map[string]string
		must(0, json.Unmarshal([]byte(e.Header), &header))
		must(0, json.Unmarshal(e.Body, &body))
		for i, want := range []string{`{"b":[1,2.50]}`, `7`} {
			el := header.EncryptedFields[i]
			compact := strings.Join([]string{
				el["protectedHeader"], el["encryptedKey"], el["initializationVector"], body[el["fieldName"]], el["authenticationTag"],
			}, ".")
			object := must(jose.ParseEncryptedCompact(compact, []jose.KeyAlgorithm{jose.RSA_OAEP_256}, []jose.ContentEncryption{jose.ContentEncryption(enc)}))
			if got, err := object.Decrypt(exampleKey()); err != nil || string(got) != want {
				t.Errorf("%s: theirs of ours is %q %v", enc, got, err)
			}
		}
		theirs := must(jose.NewEncrypter(jose.ContentEncryption(enc), jose.Recipient{
			Algorithm: jose.RSA_OAEP_256, Key: exampleKey().Public(), KeyID: "enc-1",
		}, (&jose.EncrypterOptions{}).WithType("JWE")))
		compact := must(must(theirs.Encrypt([]byte("15295558888"))).CompactSerialize())
		if got, err := decryptCompact(compact, []crypto.Decrypter{exampleKey()}); err != nil || got != "15295558888" {
			t.Errorf("%s: ours of theirs is %q %v", enc, got, err)
		}
	}
}
