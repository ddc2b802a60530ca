package ssm

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	gocmp "github.com/google/go-cmp/cmp"
)

// tally counts what became of test vectors. What is valid and yet refused is counted under the rule that refuses it, and so is
// what the vectors call acceptable, under its flag. Foreign are signatures that are wrong for their own parameters, which the
// registry does not have, and right for others, which it does.
type tally struct {
	Accepted, Refused  int
	Foreign            int
	Policy, Acceptable map[string]int
}

// count judges one vector. rule names the policy by which a valid one may be refused; without it that is a failure.
func (y *tally) count(t *testing.T, file string, v *vector, accepted bool, rule string) {
	t.Helper()
	switch {
	case v.Result == "valid" && accepted:
		y.Accepted++
	case v.Result == "invalid" && !accepted:
		y.Refused++
	case v.Result == "valid" && rule != "":
		y.Policy[rule]++
	case v.Result == "invalid" && strings.HasSuffix(rule, "-not-in-registry"):
		y.Foreign++
	case v.Result == "acceptable" && accepted:
		y.Acceptable["accepted: "+strings.Join(v.Flags, " ")]++
	case v.Result == "acceptable":
		y.Acceptable["refused: "+strings.Join(v.Flags, " ")]++
	default:
		t.Errorf("%s, vector %d (%s): %s, and accepted is %v", file, v.ID, v.Comment, v.Result, accepted)
	}
}

func (y *tally) String() string {
	line := fmt.Sprintf("%5d accepted  %5d refused  %5d foreign", y.Accepted, y.Refused, y.Foreign)
	for _, part := range []map[string]int{y.Policy, y.Acceptable} {
		for _, name := range slices.Sorted(maps.Keys(part)) {
			line += fmt.Sprintf("  %d %s", part[name], name)
		}
	}
	return line
}

type vectorGroup struct {
	Type, Sha, Mgf, MgfSha string
	SLen                   int
	IvSize, KeySize        int
	TagSize                int
	PrivateKeyPkcs8        octets
	PublicKey              publicVector
	private                *rsa.PrivateKey
	Tests                  []vector
}

// publicVector is RSA, on a curve, or Ed25519.
type publicVector struct {
	Modulus, PublicExponent octets
	Curve                   string
	Uncompressed, Pk        octets
}

type vector struct {
	ID                                     int `json:"tcId"`
	Comment, Result                        string
	Flags                                  []string
	Key, Iv, Aad, Msg, Ct, Tag, Sig, Label octets
}

// octets are written in hexadecimal.
type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

// run gives every vector of the files to judge.
func run(t *testing.T, patterns string, j judge) (y tally, files int) {
	t.Helper()
	y = tally{Policy: map[string]int{}, Acceptable: map[string]int{}}
	entries, err := fs.ReadDir(wycheproof.TestVectors, ".")
	fatal(t, err)
	for _, entry := range entries {
		if !slices.ContainsFunc(strings.Fields(patterns), func(p string) bool { ok, _ := path.Match(p, entry.Name()); return ok }) {
			continue
		}
		files++
		text, err := fs.ReadFile(wycheproof.TestVectors, entry.Name())
		fatal(t, err)
		var file struct{ TestGroups []vectorGroup }
		fatal(t, json.Unmarshal(text, &file))
		for i := range file.TestGroups {
			group, g := &file.TestGroups[i], newGeneral(t)
			if len(group.PrivateKeyPkcs8) > 0 {
				parsed, err := x509.ParsePKCS8PrivateKey(group.PrivateKeyPkcs8)
				fatal(t, err)
				group.private = parsed.(*rsa.PrivateKey)
			}
			for k := range group.Tests {
				accepted, rule := j(g, group, &group.Tests[k])
				y.count(t, entry.Name(), &group.Tests[k], accepted, rule)
			}
		}
	}
	return y, files
}

// suite is the files about one algorithm, and what becomes of their vectors.
type suite struct {
	name, files string
	judge       judge
	want        tally
}

// symmetricSuites are those of the algorithms with one secret key.
func symmetricSuites() []suite {
	none := map[string]int{}
	return []suite{
		{"AES-GCM", "aes_gcm_test.json", judgeGCM, tally{
			Accepted: 116, Refused: 87,
			Policy:     map[string]int{"nonce-not-96-bits": 113},
			Acceptable: none,
		}},
		{"AES-KW", "aes_wrap_test.json", judgeWrap("KW"), tally{
			Accepted: 36, Refused: 126,
			Policy:     none,
			Acceptable: map[string]int{"refused: ShortKey": 3},
		}},
		{"AES-KWP", "aes_kwp_test.json", judgeWrap("KWP"), tally{
			Accepted: 77, Refused: 177,
			Policy:     none,
			Acceptable: none,
		}},
		{"AES-CMAC", "aes_cmac_test.json", judgeMAC(""), tally{
			Accepted: 63, Refused: 248,
			Policy:     none,
			Acceptable: none,
		}},
		{"HMAC-SHA-256", "hmac_sha256_test.json", judgeMAC("HS256"), tally{
			Accepted: 33, Refused: 108,
			Policy:     map[string]int{"code-not-whole": 33},
			Acceptable: none,
		}},
		{"HMAC-SHA-384", "hmac_sha384_test.json", judgeMAC("HS384"), tally{
			Accepted: 33, Refused: 108,
			Policy:     map[string]int{"code-not-whole": 33},
			Acceptable: none,
		}},
		{"HMAC-SHA-512", "hmac_sha512_test.json", judgeMAC("HS512"), tally{
			Accepted: 33, Refused: 108,
			Policy:     map[string]int{"code-not-whole": 33},
			Acceptable: none,
		}},
	}
}

// signatureSuites are those of every curve and scheme, over all hashes.
func signatureSuites() []suite {
	none := map[string]int{}
	return []suite{
		{"ECDSA P-256", "ecdsa_secp256r1_*_test.json", judgeSignature, tally{
			Accepted: 347, Refused: 1796,
			Policy:     map[string]int{"hash-not-in-registry": 1257},
			Acceptable: none,
		}},
		{"ECDSA P-384", "ecdsa_secp384r1_*_test.json", judgeSignature, tally{
			Accepted: 387, Refused: 2102,
			Policy:     map[string]int{"hash-not-in-registry": 1519},
			Acceptable: none,
		}},
		{"ECDSA P-521", "ecdsa_secp521r1_*_test.json", judgeSignature, tally{
			Accepted: 463, Refused: 1082,
			Policy:     map[string]int{"hash-not-in-registry": 699},
			Acceptable: none,
		}},
		{"Ed25519", "ed25519_test.json", judgeSignature, tally{
			Accepted: 88, Refused: 63,
			Policy:     none,
			Acceptable: none,
		}},
		{"RSA PKCS #1 v1.5", "rsa_signature_*_test.json", judgeSignature, tally{
			Accepted: 84, Refused: 5969, Foreign: 36,
			Policy:     map[string]int{"exponent-below-65537": 5, "hash-not-in-registry": 84},
			Acceptable: map[string]int{"refused: MissingNull": 24},
		}},
		{"RSA PSS", "rsa_pss_*_test.json", judgeSignature, tally{
			Accepted: 775, Refused: 1087, Foreign: 2,
			Policy:     map[string]int{"hash-not-in-registry": 2, "pss-parameters-not-in-registry": 1631},
			Acceptable: none,
		}},
	}
}

// suitesOfOAEP are two looks at the same vectors: the operations take no label, and the handles beneath them do.
func suitesOfOAEP() []suite {
	return []suite{
		{"RSA OAEP", "rsa_*oaep_*_sha256_mgf1sha256_test.json rsa_oaep_misc_test.json", judgeUnwrapOAEP, tally{
			Accepted: 52, Refused: 75,
			Policy:     map[string]int{"hash-not-in-registry": 246, "label": 46, "rsa-below-2048": 120},
			Acceptable: map[string]int{"refused: Constructed EncryptionWithLabel SmallIntegerCiphertext": 3},
		}},
		{"RSA OAEP with labels", "rsa_*oaep_*_sha256_mgf1sha256_test.json rsa_oaep_misc_test.json", judgeLabelledOAEP, tally{
			Accepted: 98, Refused: 75,
			Policy:     map[string]int{"hash-not-in-registry": 246, "rsa-below-2048": 120},
			Acceptable: map[string]int{"accepted: Constructed EncryptionWithLabel SmallIntegerCiphertext": 2, "refused: Constructed EncryptionWithLabel SmallIntegerCiphertext": 1},
		}},
	}
}

// TestWycheproof asserts every number, so that a change in the vectors or the product is noticed. All but AES-GCM and the labels
// of RSA-OAEP go through whole operations; those two go through the handles beneath, because ciphertexts of the operation
// encrypt bind the id of their key.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	for _, test := range slices.Concat(symmetricSuites(), signatureSuites(), suitesOfOAEP()) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, files := run(t, test.files, test.judge)
			t.Logf("%-20s %2d files %s", test.name, files, &got)
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Errorf("totals (-want +got):\n%s", diff)
			}
		})
	}
}
