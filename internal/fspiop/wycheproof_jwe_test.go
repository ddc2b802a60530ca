package fspiop

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"path"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

type jweGroup struct {
	Comment string
	Private json.RawMessage
	Tests   []jweVector
}

type jweVector struct {
	vector
	Pt  string
	Jwe json.RawMessage
}

// privateWebKey is a private RSA key as a JWK.
type privateWebKey struct{ Kty, Alg, N, E, D, P, Q string }

// private is the group's key if it is one that may decrypt fields.
func (g *jweGroup) private(t *testing.T) []crypto.Decrypter {
	t.Helper()
	var k privateWebKey
	if err := json.Unmarshal(g.Private, &k); err != nil {
		t.Fatal(err)
	}
	if k.Kty != "RSA" || k.Alg != FieldAlgorithm {
		return []crypto.Decrypter{exampleKey()}
	}
	return []crypto.Decrypter{k.decrypter()}
}

func (k *privateWebKey) decrypter() crypto.Decrypter {
	number := func(text string) *big.Int { return new(big.Int).SetBytes(must(decodeBase64URL(text))) }
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: number(k.N), E: int(number(k.E).Int64())}, D: number(k.D),
		Primes: []*big.Int{number(k.P), number(k.Q)},
	}
	key.Precompute()
	return key
}

// decryptCompact is a JWE in compact serialisation, as a message whose only field is encrypted. Splitting it is the test's; every
// decision is the product's.
func decryptCompact(compact string, keys []crypto.Decrypter) (string, error) {
	part := strings.Split(compact, ".")
	if len(part) != 5 {
		return "", fault.New(fault.Invalid, "not five parts")
	}
	header := jsonOf(map[string]any{"encryptedFields": []map[string]string{{
		"fieldName": "f", "protectedHeader": part[0], "encryptedKey": part[1], "initializationVector": part[2], "authenticationTag": part[4],
	}}})
	d, err := DecryptFields(keys, received(header, jsonOf(map[string]string{"f": part[3]})), nil)
	if err != nil {
		return "", err
	}
	var body map[string]string
	must(0, json.Unmarshal(d.Body, &body))
	return body["f"], nil
}

// jweRule names the policy by which a valid JWE is refused.
func jweRule(compact string) string {
	encoded, _, _ := strings.Cut(compact, ".")
	h, err := parseHeader(encoded)
	if err != nil {
		return ""
	}
	_, known := contentCipherNamed(h.text(memberEncryptionMethod))
	switch {
	case h.text(memberAlgorithm) != FieldAlgorithm:
		return "alg-not-in-registry"
	case !known:
		return "enc-not-in-registry"
	}
	return ""
}

// TestWycheproofJWE asserts every number.
func TestWycheproofJWE(t *testing.T) {
	t.Parallel()
	got := newTally()
	texts := map[string]int{}
	file := readVectors[struct {
		TestGroups []jweGroup `json:"testGroups"`
	}](t, "json_web_encryption_test.json")
	for _, g := range file.TestGroups {
		keys := g.private(t)
		for _, v := range g.Tests {
			var compact string
			if json.Unmarshal(v.Jwe, &compact) != nil {
				compact = string(v.Jwe) // JSON serialisation
			}
			text, err := decryptCompact(compact, keys)
			right := err == nil && text == string(must(hex.DecodeString(v.Pt)))
			if err == nil && !right {
				t.Errorf("%s, vector %d: decrypted %q", g.Comment, v.ID, text)
			}
			got.count(t, g.Comment, v.vector, err == nil, jweRule(compact))
			if errors.Is(err, fault.Refused) {
				texts[fault.From(err).Public]++
			}
		}
	}
	t.Logf("JWE %s", &got)
	want := tally{Accepted: 4, Refused: 74, Acceptable: map[string]int{}, Policy: map[string]int{
		"alg-not-in-registry": 58, "enc-not-in-registry": 3,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if len(texts) != 1 {
		t.Errorf("%d texts of refusals: %v", len(texts), texts)
	}
}

// rocaGroups are the groups whose public key comes of a faulty generator. Verification does not look for that; no such key
// can be added (internal/keys).
const rocaGroups = "jws_rsa_roca_key"

// TestWycheproofKeysAndMixedVectors runs the files about keys and about JWS and JWE together.
func TestWycheproofKeysAndMixedVectors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]tally{
		"json_web_key_test.json": {Accepted: 1, Refused: 20, Foreign: 1, Acceptable: map[string]int{}, Policy: map[string]int{
			"mac-not-in-registry": 4,
		}},
		"json_web_crypto_test.json": {Accepted: 2, Refused: 76, Foreign: 1, Acceptable: map[string]int{}, Policy: map[string]int{
			"mac-not-in-registry": 2, "alg-not-in-registry": 2,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newTally()
			file := readVectors[struct {
				TestGroups []mixedGroup `json:"testGroups"`
			}](t, name)
			for _, g := range file.TestGroups {
				for _, v := range g.Tests {
					if g.Comment == rocaGroups {
						got.Foreign++
						continue
					}
					accepted, rule := g.judge(t, &v)
					got.count(t, g.Comment, v.vector, accepted, rule)
				}
			}
			t.Logf("%s %s", name, &got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("totals (-want +got):\n%s", diff)
			}
		})
	}
}

type mixedGroup struct {
	Comment string
	Public  json.RawMessage
	Tests   []jweVector
}

// keys are those of the group's public key, or of each of its set of keys.
func (g *mixedGroup) keys(t *testing.T) (all []Key) {
	t.Helper()
	if g.Public == nil {
		return nil
	}
	var set struct{ Keys []webKey }
	must(0, json.Unmarshal(g.Public, &set))
	if set.Keys == nil {
		set.Keys = make([]webKey, 1)
		must(0, json.Unmarshal(g.Public, &set.Keys[0]))
	}
	for i := range set.Keys {
		all = append(all, (&jwsGroup{Public: &set.Keys[i]}).keys(t)...)
	}
	return all
}

func (g *mixedGroup) judge(t *testing.T, v *jweVector) (accepted bool, rule string) {
	t.Helper()
	var compact string
	if v.Jwe != nil {
		if json.Unmarshal(v.Jwe, &compact) != nil {
			compact = string(v.Jwe)
		}
		_, err := decryptCompact(compact, []crypto.Decrypter{exampleKey()})
		return err == nil, jweRule(compact)
	}
	if json.Unmarshal(v.Jws, &compact) != nil {
		compact = string(v.Jws)
	}
	reason, _ := verifyCompact(compact, g.keys(t))
	return reason == "", jwsRule(reason, compact)
}

type oaepGroup struct {
	KeySize    int
	Sha        string
	MgfSha     string
	PrivateKey struct {
		Modulus, PublicExponent, PrivateExponent, Prime1, Prime2 string
		OtherPrimeInfos                                          [][]string
	}
	Tests []struct {
		vector
		Ct, Label string
	}
}

func (g *oaepGroup) key() *rsa.PrivateKey {
	number := func(text string) *big.Int { return new(big.Int).SetBytes(must(hex.DecodeString(text))) }
	p := g.PrivateKey
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: number(p.Modulus), E: int(number(p.PublicExponent).Int64())}, D: number(p.PrivateExponent),
		Primes: []*big.Int{number(p.Prime1), number(p.Prime2)},
	}
	for _, other := range p.OtherPrimeInfos {
		k.Primes = append(k.Primes, number(other[0]))
	}
	k.Precompute()
	return k
}

// unwraps says whether the product's function takes exactly this content key out of a ciphertext. What it puts in the place of
// one that is not there is random.
func unwraps(t *testing.T, k crypto.Decrypter, ciphertext, want []byte) bool {
	t.Helper()
	size := max(len(want), 16)
	cek, err := unwrap(k, ciphertext, size)
	if err != nil || len(cek) != size {
		t.Fatalf("%v, %d octets", err, len(cek))
	}
	return bytes.Equal(cek, want)
}

func oaepRule(g *oaepGroup, label string, size int) string {
	switch {
	case g.Sha != "SHA-256" || g.MgfSha != "SHA-256":
		return "hash-not-in-registry"
	case label != "":
		return "label-not-in-jose"
	case size < 16:
		return "shorter-than-a-content-key"
	}
	return ""
}

// TestWycheproofOAEP asserts every number. What was encrypted with other hashes never unwraps; of that, 2048 bits are enough.
func TestWycheproofOAEP(t *testing.T) {
	t.Parallel()
	got := newTally()
	for _, entry := range must(fs.ReadDir(wycheproof.TestVectors, ".")) {
		ours, _ := path.Match("rsa_*oaep_*_sha256_mgf1sha256_test.json", entry.Name())
		other, _ := path.Match("rsa_oaep_2048_*_test.json", entry.Name())
		if !ours && !other && entry.Name() != "rsa_oaep_misc_test.json" {
			continue
		}
		file := readVectors[struct {
			TestGroups []oaepGroup `json:"testGroups"`
		}](t, entry.Name())
		for i := range file.TestGroups {
			if g := &file.TestGroups[i]; !strings.Contains(entry.Name(), "misc") || oaepRule(g, "", 16) == "" {
				got.add(g.judge(t, entry.Name()))
			}
		}
	}
	t.Logf("OAEP %s", &got)
	want := tally{
		Accepted: 16, Refused: 259, Foreign: 6,
		Policy:     map[string]int{"hash-not-in-registry": 145, "label-not-in-jose": 46, "shorter-than-a-content-key": 36},
		Acceptable: map[string]int{"refused: Constructed EncryptionWithLabel SmallIntegerCiphertext": 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

func (g *oaepGroup) judge(t *testing.T, id string) tally {
	t.Helper()
	y := newTally()
	if g.KeySize < minModulusBits { // no such key is ever held
		y.Foreign = len(g.Tests)
		return y
	}
	k := g.key()
	for _, v := range g.Tests {
		want := must(hex.DecodeString(v.Msg))
		y.count(t, id, v.vector, unwraps(t, k, must(hex.DecodeString(v.Ct)), want), oaepRule(g, v.Label, len(want)))
	}
	return y
}
