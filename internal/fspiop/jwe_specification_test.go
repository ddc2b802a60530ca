package fspiop

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

// printed is the example of the FSPIOP specification, "Encryption" v1.1, chapter 4.
type printed struct {
	Key                      map[string]string
	Elements                 []map[string]string
	Body, DamagedBody, Clear string
	ContentKey               []int
}

var example = sync.OnceValue(func() (p printed) {
	must(0, json.Unmarshal(must(os.ReadFile("testdata/encryption_v1.1.json")), &p))
	return p
})

// exampleKey is the recipient's key, that of RFC 7516, appendix A.1.
var exampleKey = sync.OnceValue(func() *rsa.PrivateKey {
	number := func(name string) *big.Int {
		return new(big.Int).SetBytes(must(base64.RawURLEncoding.DecodeString(example().Key[name])))
	}
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: number("n"), E: 65537}, D: number("d"), Primes: []*big.Int{number("p"), number("q")},
	}
	k.Precompute()
	return k
})

// received is a message with the header.
func received(header, body string) *Message {
	return &Message{Headers: map[string]string{"FSPIOP-Encryption": header}, Body: []byte(body)}
}

func jsonOf(v any) string { return string(must(json.Marshal(v))) }

// The specification shows the list of elements in encryptedFields; its tables can be read in two more ways.
func TestTheExampleOfTheSpecificationIsDecryptedInEveryReading(t *testing.T) {
	t.Parallel()
	p := example()
	for name, header := range map[string]any{
		"as in the example": map[string]any{"encryptedFields": p.Elements},
		"as in the tables":  map[string]any{"encryptedFields": map[string]any{"encryptedField": p.Elements}},
		"as in table 2":     map[string]any{"encryptedField": p.Elements},
	} {
		got, err := DecryptFields([]crypto.Decrypter{exampleKey()}, received(jsonOf(header), p.Body), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(p.Clear, string(got.Body)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{"payer", "payee.partyIdInfo.partyIdentifier"}, got.Fields); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", name, diff)
		}
	}
	header := jsonOf(map[string]any{"encryptedFields": p.Elements})
	if _, err := DecryptFields([]crypto.Decrypter{exampleKey()}, received(header, p.DamagedBody), nil); !errors.Is(err, fault.Refused) {
		t.Errorf("the damaged ciphertext: %v", err)
	}
}

// Each of the printed encrypted keys holds the printed content key.
func TestThePrintedKeysAreUnwrapped(t *testing.T) {
	t.Parallel()
	for _, element := range example().Elements {
		cek, err := unwrap(exampleKey(), must(decodeBase64URL(element["encryptedKey"])), 32)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]int, len(cek))
		for i, b := range cek {
			got[i] = int(b)
		}
		if diff := cmp.Diff(example().ContentKey, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", element["fieldName"], diff)
		}
	}
}

// What we emit for the same fields has the shape of the example: the same protected header, and members of the same lengths but
// for the IV, which has the length RFC 7518 wants.
func TestTheExampleIsEncryptedAsTheSpecificationShowsIt(t *testing.T) {
	t.Parallel()
	p := example()
	fields := []string{"payer", "payee.partyIdInfo.partyIdentifier"}
	got := encrypt(t, p.Clear, fields...)
	var header struct {
		EncryptedFields []map[string]string `json:"encryptedFields"`
	}
	if err := json.Unmarshal([]byte(got.Header), &header); err != nil {
		t.Fatal(err)
	}
	for i, element := range header.EncryptedFields {
		want := p.Elements[i]
		if element["fieldName"] != want["fieldName"] || element["protectedHeader"] != want["protectedHeader"] {
			t.Errorf("element %v", element)
		}
		for _, member := range []string{"encryptedKey", "authenticationTag"} {
			if len(element[member]) != len(want[member]) {
				t.Errorf("%s is %q", member, element[member])
			}
		}
		if len(element) != len(want) || len(element["initializationVector"]) != 16 {
			t.Errorf("element %v", element)
		}
	}
	if len(header.EncryptedFields) != len(fields) || !strings.HasPrefix(got.Header, `{"encryptedFields":[{"fieldName":"payer",`) {
		t.Errorf("header %s", got.Header)
	}
	if len(got.Body) != len(p.Body) {
		t.Errorf("the body has %d bytes, in the example %d", len(got.Body), len(p.Body))
	}
}
