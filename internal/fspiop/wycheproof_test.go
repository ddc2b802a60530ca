package fspiop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/google/go-cmp/cmp"
)

// tally counts what became of test vectors. What is valid and yet refused is counted under the rule that refuses it, and so
// is what the vectors call acceptable, under its flag. Foreign are the signatures that are not valid for
// parameters no algorithm of the registry has: some are right for other parameters, which one of them does have.
type tally struct {
	Accepted, Refused, Foreign int
	Policy, Acceptable         map[string]int
}

func newTally() tally { return tally{Policy: map[string]int{}, Acceptable: map[string]int{}} }

// count judges one vector. rule names the policy by which a valid one may be refused; without it that is a failure.
func (y *tally) count(t *testing.T, id string, v vector, verified bool, rule string) {
	t.Helper()
	switch {
	case v.Result == "valid" && verified:
		y.Accepted++
	case v.Result == "invalid" && !verified:
		y.Refused++
	case v.Result == "valid" && rule != "":
		y.Policy[rule]++
	case v.Result == "acceptable" && !verified:
		y.Acceptable["refused: "+strings.Join(v.Flags, " ")]++
	case v.Result == "acceptable":
		y.Acceptable["accepted: "+strings.Join(v.Flags, " ")]++
	default:
		t.Errorf("%s, vector %d (%s): %s, and verified is %v", id, v.ID, v.Comment, v.Result, verified)
	}
}

func (y *tally) add(other tally) {
	y.Accepted += other.Accepted
	y.Refused += other.Refused
	y.Foreign += other.Foreign
	for rule, n := range other.Policy {
		y.Policy[rule] += n
	}
	for flag, n := range other.Acceptable {
		y.Acceptable[flag] += n
	}
}

// String is one line of the summary.
func (y *tally) String() string {
	line := fmt.Sprintf("%5d accepted  %5d refused  %5d foreign", y.Accepted, y.Refused, y.Foreign)
	for _, part := range []map[string]int{y.Policy, y.Acceptable} {
		for _, name := range slices.Sorted(maps.Keys(part)) {
			line += fmt.Sprintf("  %d %s", part[name], name)
		}
	}
	return line
}

type vectorFile struct {
	TestGroups []vectorGroup `json:"testGroups"`
}

type vectorGroup struct {
	Type   string
	Sha    string
	Mgf    string
	MgfSha string
	SLen   int
	Tests  []vector
	// PublicKey is RSA, on a curve, or Ed25519.
	PublicKey struct{ Modulus, PublicExponent, Curve, Uncompressed, Pk string }
}

type vector struct {
	ID      int `json:"tcId"`
	Comment string
	Flags   []string
	Msg     string
	Sig     string
	Result  string
	Jws     json.RawMessage
}

func readVectors[T any](t testing.TB, name string) (file T) {
	t.Helper()
	text := must(fs.ReadFile(wycheproof.TestVectors, name))
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// key is the group's public key.
func (g *vectorGroup) key() crypto.PublicKey {
	octets := func(text string) []byte { return must(hex.DecodeString(text)) }
	switch p := g.PublicKey; {
	case p.Modulus != "":
		e := new(big.Int).SetBytes(octets(p.PublicExponent))
		return &rsa.PublicKey{N: new(big.Int).SetBytes(octets(p.Modulus)), E: int(e.Int64())}
	case p.Curve == "secp256r1":
		return must(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), octets(p.Uncompressed)))
	case p.Curve == "secp384r1":
		return must(ecdsa.ParseUncompressedPublicKey(elliptic.P384(), octets(p.Uncompressed)))
	default:
		return ed25519.PublicKey(octets(p.Pk))
	}
}

// algorithm is the JOSE algorithm of the group's parameters, or the rule by which it has none.
func (g *vectorGroup) algorithm() (a Algorithm, rule string) {
	bits, name := strings.TrimPrefix(g.Sha, "SHA-"), "EdDSA"
	switch {
	case strings.HasPrefix(g.Type, "RsassaPkcs1"):
		name = "RS" + bits
	case strings.HasPrefix(g.Type, "RsassaPss"):
		if g.Mgf != "MGF1" || g.MgfSha != g.Sha || fmt.Sprint(g.SLen*8) != bits {
			return Algorithm{}, "pss-parameters-not-in-registry"
		}
		name = "PS" + bits
	case strings.HasPrefix(g.Type, "Ecdsa"):
		name = "ES" + bits
	}
	a, ok := AlgorithmNamed(name)
	if !ok {
		return Algorithm{}, "hash-not-in-registry"
	}
	return a, ""
}

// judge runs a group's vectors through the product. Signatures in DER take the way of a crypto.Signer's answer.
func (g *vectorGroup) judge(t *testing.T, id string) tally {
	y, key := newTally(), g.key()
	a, rule := g.algorithm()
	if rule == "" && CheckPublicKey(key) != nil {
		var broken keyRule
		if !errors.As(CheckPublicKey(key), &broken) {
			t.Fatalf("%s: key refused without a rule", id)
		}
		rule = string(broken)
	}
	for _, v := range g.Tests {
		msg, sig := must(hex.DecodeString(v.Msg)), must(hex.DecodeString(v.Sig))
		switch {
		case a == Algorithm{} && v.Result != "valid":
			y.Foreign++
		case a == Algorithm{}:
			y.count(t, id, v, anyVerifies(key, msg, sig), rule)
		case g.Type == "EcdsaVerify":
			if a.Verify(key, msg, sig) {
				t.Errorf("%s, vector %d: verified in DER", id, v.ID)
			}
			octets, err := a.scheme.encode(key, sig)
			y.count(t, id, v, err == nil && a.Verify(key, msg, octets), rule)
		default:
			y.count(t, id, v, a.Verify(key, msg, sig), rule)
		}
	}
	return y
}

// anyVerifies is for signatures no algorithm of the registry makes.
func anyVerifies(key crypto.PublicKey, msg, sig []byte) bool {
	return slices.ContainsFunc(algorithms[:], func(a Algorithm) bool { return a.Verify(key, msg, sig) })
}

// TestWycheproofSignatures asserts every number, so that a change in the vectors or the product is noticed.
func TestWycheproofSignatures(t *testing.T) {
	t.Parallel()
	none := map[string]int{}
	tests := []struct {
		name, files string
		want        tally
	}{
		{"RSASSA-PKCS1-v1_5", "rsa_signature_*_test.json", tally{
			Accepted: 84, Refused: 3005, Foreign: 3012,
			Policy:     map[string]int{"exponent-below-65537": 5, "hash-not-in-registry": 84},
			Acceptable: map[string]int{"refused: MissingNull": 12},
		}},
		{"RSASSA-PSS", "rsa_pss_*_test.json", tally{
			Accepted: 775, Refused: 411, Foreign: 678,
			Policy:     map[string]int{"hash-not-in-registry": 2, "pss-parameters-not-in-registry": 1631},
			Acceptable: none,
		}},
		{"ECDSA P-256, DER", "ecdsa_secp256r1_sha256_test.json", tally{Accepted: 174, Refused: 310, Policy: none, Acceptable: none}},
		{"ECDSA P-256, r||s", "ecdsa_secp256r1_sha256_p1363_test.json", tally{Accepted: 173, Refused: 89, Policy: none, Acceptable: none}},
		{"ECDSA P-384, DER", "ecdsa_secp384r1_sha384_test.json", tally{Accepted: 194, Refused: 310, Policy: none, Acceptable: none}},
		{"ECDSA P-384, r||s", "ecdsa_secp384r1_sha384_p1363_test.json", tally{Accepted: 193, Refused: 87, Policy: none, Acceptable: none}},
		{"Ed25519", "ed25519_test.json", tally{Accepted: 88, Refused: 63, Policy: none, Acceptable: none}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, files := newTally(), 0
			for _, entry := range must(fs.ReadDir(wycheproof.TestVectors, ".")) {
				if ok, _ := path.Match(test.files, entry.Name()); !ok {
					continue
				}
				files++
				file := readVectors[vectorFile](t, entry.Name())
				for i := range file.TestGroups {
					got.add(file.TestGroups[i].judge(t, entry.Name()))
				}
			}
			t.Logf("%-18s %2d files %s", test.name, files, &got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("totals (-want +got):\n%s", diff)
			}
		})
	}
}
