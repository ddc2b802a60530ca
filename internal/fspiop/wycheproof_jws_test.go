package fspiop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
)

type jwsFile struct {
	TestGroups []jwsGroup `json:"testGroups"`
}

type jwsGroup struct {
	Comment string
	Public  *webKey
	Tests   []vector
}

// webKey is a JWK (RFC 7517).
type webKey struct {
	Kty, Crv, Alg, Use, N, E, X, Y string
	KeyOps                         []string `json:"key_ops"`
}

// keys are the group's keys as the core would hand them in: those for signatures alone, each bound to the algorithm it is
// for. A secret is none, there being nowhere to put it.
func (g *jwsGroup) keys(t *testing.T) []Key {
	t.Helper()
	k := g.Public
	if k == nil || k.Use == "enc" || len(k.KeyOps) > 0 && !slices.Contains(k.KeyOps, "verify") {
		return nil
	}
	var key Key
	if k.Alg != "" {
		key.Algorithms = []string{k.Alg}
	}
	if key.Public = k.public(); key.Public == nil {
		return nil
	}
	return []Key{key}
}

func (k *webKey) public() crypto.PublicKey {
	octets := func(text string) []byte { return must(decodeBase64URL(text)) }
	switch k.Kty + k.Crv {
	case "RSA":
		return &rsa.PublicKey{N: new(big.Int).SetBytes(octets(k.N)), E: int(new(big.Int).SetBytes(octets(k.E)).Int64())}
	case "ECP-256":
		point, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, octets(k.X), octets(k.Y)))
		if err == nil { // a point off the curve becomes no key
			return point
		}
	}
	return nil
}

// verifyCompact is a JWS in compact serialisation, which FSPIOP does not have. Splitting it is the test's; every decision
// is one of the product's checks.
func verifyCompact(compact string, keys []Key) (reason Reason, note string) {
	part := strings.Split(compact, ".")
	if len(part) != 3 {
		return ReasonSignatureMalformed, "not three parts"
	}
	protected, err := parseHeader(part[0])
	if err != nil {
		return ReasonSignatureMalformed, "header: " + err.Error()
	}
	payload, err := decodeBase64URL(part[1])
	if err != nil {
		return ReasonSignatureMalformed, "payload: " + err.Error()
	}
	signature, err := decodeBase64URL(part[2])
	if err != nil {
		return ReasonSignatureMalformed, "signature: " + err.Error()
	}
	v := verification{
		keys: keys, encoded: part[0], protected: protected, signature: signature, message: &Message{Body: payload},
		policy: &cpm.Policy{Algorithms: append(AlgorithmNames(), "none", "NONE", "HS256", "ES512"), Raw: true},
	}
	for _, check := range []func(*verification) (Reason, error){
		(*verification).chooseAlgorithm, (*verification).refuseExtensions, (*verification).compareOthers,
		(*verification).chooseKeys, (*verification).tryForms,
	} {
		if reason, cause := check(&v); reason != "" {
			return reason, cause.Error()
		}
	}
	return "", ""
}

// jwsRule names the policy by which a valid JWS is refused for a reason.
func jwsRule(reason Reason, compact string) string {
	alg := namedAlgorithm(compact)
	_, known := AlgorithmNamed(alg)
	switch {
	case reason == ReasonSignatureMalformed:
		return "base64url-not-strict"
	case reason == ReasonAlgorithmRefused && known:
		return "key-for-another-algorithm"
	case reason == ReasonAlgorithmRefused && strings.HasPrefix(alg, "HS"):
		return "mac-not-in-registry"
	case reason == ReasonAlgorithmRefused:
		return "algorithm-not-in-registry"
	}
	return ""
}

// namedAlgorithm is the alg of a compact JWS, or nothing.
func namedAlgorithm(compact string) string {
	header, _, _ := strings.Cut(compact, ".")
	protected, err := parseHeader(header)
	if err != nil {
		return ""
	}
	return protected.text(memberAlgorithm)
}

// TestWycheproofJWS asserts every number.
func TestWycheproofJWS(t *testing.T) {
	t.Parallel()
	got, reasons := newTally(), map[Reason]int{}
	file := readVectors[jwsFile](t, "json_web_signature_test.json")
	for _, g := range file.TestGroups {
		keys := g.keys(t)
		for _, v := range g.Tests {
			var compact string
			if json.Unmarshal(v.Jws, &compact) != nil {
				compact = string(v.Jws) // JSON serialisation
			}
			reason, note := verifyCompact(compact, keys)
			got.count(t, g.Comment, v, reason == "", jwsRule(reason, compact))
			if v.Result == "valid" && reason != "" {
				t.Logf("policy: vector %d (%s): %s: %s", v.ID, v.Comment, jwsRule(reason, compact), note)
			}
			reasons[reason]++
		}
	}
	t.Logf("JWS %s", &got)
	want := tally{Accepted: 32, Refused: 355, Acceptable: map[string]int{}, Policy: map[string]int{
		"mac-not-in-registry": 8, "algorithm-not-in-registry": 2, "key-for-another-algorithm": 2, "base64url-not-strict": 2,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	byReason := map[Reason]int{
		"": 32, ReasonAlgorithmRefused: 30, ReasonHeaderMismatch: 1, ReasonKeyUnknown: 4, ReasonSignatureMalformed: 38,
		ReasonSignatureMismatch: 296,
	}
	if diff := cmp.Diff(byReason, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}
