package ssm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

func TestEveryMACIsJudgedWhole(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	sizes := map[string]int{"HS256": 32, "HS384": 48, "HS512": 64, "A128CMAC": 16, "A192CMAC": 16, "A256CMAC": 16}
	number := byte(0)
	for name, size := range sizes {
		number += 2
		key := g.put(number, cpm.UseMAC, name, material(t, name))
		newer := g.put(number+1, cpm.UseMAC, name, material(t, name))
		for _, data := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("0123456789abcdef"), 4)} {
			made := must[*cpmv1.MacResponse](g, cpm.MAC, &cpmv1.MacRequest{Data: data}, key)
			if len(made.GetMac()) != size || made.GetAlgorithm() != name {
				t.Errorf("%s: %v", name, made)
			}
			ask := func(data, code []byte) bool {
				v := must[*cpmv1.MacVerifyResponse](g, cpm.MACVerify, &cpmv1.MacVerifyRequest{Data: data, Mac: code}, newer, key)
				if v.Valid == nil || v.GetValid() != (v.GetKey().GetId() == key.ID.String()) {
					t.Errorf("%s: %v", name, v)
				}
				return v.GetValid()
			}
			changed := bytes.Clone(made.GetMac())
			changed[size-1] ^= 1
			if !ask(data, made.GetMac()) || ask(data, changed) || ask(data, made.GetMac()[:size-1]) || ask(append(data, 0), made.GetMac()) {
				t.Errorf("%s over %d bytes is judged wrongly", name, len(data))
			}
		}
	}
}

func TestEveryAlgorithmUnwrapsWhatItWrapped(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	names := []string{"A128KW", "A192KW", "A256KW", "A128KWP", "A192KWP", "A256KWP", cpm.RSAOAEP256}
	clear := bytes.Repeat([]byte{7}, 32)
	for i, name := range names {
		key := g.put(byte(2*i+1), cpm.UseWrap, name, material(t, name))
		newer := g.put(byte(2*i+2), cpm.UseWrap, name, material(t, name))
		wrapped := must[*cpmv1.WrapResponse](g, cpm.Wrap, &cpmv1.WrapRequest{Material: clear}, key)
		back := must[*cpmv1.UnwrapResponse](g, cpm.Unwrap, &cpmv1.UnwrapRequest{Wrapped: wrapped.GetWrapped()}, newer, key)
		if !bytes.Equal(back.GetMaterial(), clear) || back.GetKey().GetId() != key.ID.String() {
			t.Errorf("%s: %v", name, back)
		}
		changed := bytes.Clone(wrapped.GetWrapped())
		changed[len(changed)/2] ^= 1
		for what, w := range map[string][]byte{"changed": changed, "shorter": changed[1:], "one byte": {0}} {
			_, err := do[*cpmv1.UnwrapResponse](g, cpm.Unwrap, &cpmv1.UnwrapRequest{Wrapped: w}, newer, key)
			if f := fault.From(err); err == nil || f.Kind != fault.Refused || !strings.HasPrefix(f.Public, "the material cannot be unwrapped") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

func TestDigestsAndRandomBytes(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	// The digests of no data (FIPS 180-4, FIPS 202).
	for name, want := range map[string]string{
		"": "e3b0c44298fc1c14", "SHA-256": "e3b0c44298fc1c14", "SHA-384": "38b060a751ac9638", "SHA-512": "cf83e1357eefb8bd",
		"SHA3-256": "a7ffc6f8bf1ed766", "SHA3-384": "0c63a75b845e4f7d", "SHA3-512": "a69f73cca23a9ac5",
	} {
		got := must[*cpmv1.DigestResponse](g, cpm.Digest, &cpmv1.DigestRequest{Data: []byte{}, Algorithm: name})
		if !strings.HasPrefix(fmt.Sprintf("%x", got.GetDigest()), want) || got.GetAlgorithm() == "" {
			t.Errorf("%s: %x by %s", name, got.GetDigest(), got.GetAlgorithm())
		}
	}
	for _, length := range []uint32{1, 32, 65536} {
		one := must[*cpmv1.RandomResponse](g, cpm.Random, &cpmv1.RandomRequest{Length: length}).GetRandom()
		two := must[*cpmv1.RandomResponse](g, cpm.Random, &cpmv1.RandomRequest{Length: length}).GetRandom()
		if len(one) != int(length) || length > 1 && bytes.Equal(one, two) {
			t.Errorf("%d bytes: %d", length, len(one))
		}
	}
}

func TestRequestsThatCannotBeDoneAreDeclined(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	ec, ed := g.put(1, cpm.UseDataSignature, "ES256", material(t, "ES256")), g.put(2, cpm.UseDataSignature, "EdDSA", material(t, "EdDSA"))
	gcm, code := g.put(3, cpm.UseDataEncryption, "A256GCM", material(t, "A256GCM")), g.put(4, cpm.UseMAC, "HS256", material(t, "HS256"))
	wrapping := g.put(5, cpm.UseWrap, "A256KW", material(t, "A256KW"))
	sum := sha256.Sum256(nil)
	digestToSign, digestToVerify := &cpmv1.SignRequest_Digest{Digest: sum[:]}, &cpmv1.VerifyRequest_Digest{Digest: sum[:]}
	tests := []struct {
		name      string
		operation cpm.Operation
		request   proto.Message
		keys      []cpm.KeyRef
		want      fault.Kind
	}{
		{"nothing to sign", cpm.Sign, &cpmv1.SignRequest{}, []cpm.KeyRef{ec}, fault.Missing},
		{"another encoding", cpm.Sign, &cpmv1.SignRequest{Input: digestToSign, Encoding: "pem"}, []cpm.KeyRef{ec}, fault.Invalid},
		{"a digest for EdDSA", cpm.Sign, &cpmv1.SignRequest{Input: digestToSign}, []cpm.KeyRef{ed}, fault.Invalid},
		{"EdDSA in DER", cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{}, Encoding: "der"}, []cpm.KeyRef{ed}, fault.Invalid},
		{"a digest too short", cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Digest{Digest: sum[1:]}}, []cpm.KeyRef{ec}, fault.Invalid},
		{"a key of another use", cpm.Sign, &cpmv1.SignRequest{Input: digestToSign}, []cpm.KeyRef{gcm}, fault.State},
		{"nothing to verify", cpm.Verify, &cpmv1.VerifyRequest{Signature: []byte{1}}, []cpm.KeyRef{ec}, fault.Missing},
		{"no signature", cpm.Verify, &cpmv1.VerifyRequest{Input: digestToVerify}, []cpm.KeyRef{ec}, fault.Missing},
		{"no key to verify with", cpm.Verify, &cpmv1.VerifyRequest{Input: digestToVerify, Signature: []byte{1}}, nil, fault.NotFound},
		{"another encoding to verify", cpm.Verify, &cpmv1.VerifyRequest{Input: digestToVerify, Signature: []byte{1}, Encoding: "p1363"}, []cpm.KeyRef{ec}, fault.Invalid},
		{"a digest nothing signs", cpm.Verify, &cpmv1.VerifyRequest{Input: &cpmv1.VerifyRequest_Digest{}, Signature: []byte{1}}, []cpm.KeyRef{ec, ed}, fault.Invalid},
		{"no plaintext", cpm.Encrypt, &cpmv1.EncryptRequest{}, []cpm.KeyRef{gcm}, fault.Missing},
		{"two keys to encrypt", cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte{}}, []cpm.KeyRef{gcm, gcm}, fault.Invalid},
		{"encrypt with a key for MACs", cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte{}}, []cpm.KeyRef{code}, fault.State},
		{"rewrap with one key", cpm.Rewrap, &cpmv1.RewrapRequest{}, []cpm.KeyRef{gcm}, fault.Invalid},
		{"rewrap nothing", cpm.Rewrap, &cpmv1.RewrapRequest{}, []cpm.KeyRef{gcm, gcm}, fault.Refused},
		{"a data key of no length", cpm.Datakey, &cpmv1.DatakeyRequest{Length: 33}, []cpm.KeyRef{gcm}, fault.Invalid},
		{"no data for a MAC", cpm.MAC, &cpmv1.MacRequest{}, []cpm.KeyRef{code}, fault.Missing},
		{"no data under a MAC", cpm.MACVerify, &cpmv1.MacVerifyRequest{Mac: []byte{1}}, []cpm.KeyRef{code}, fault.Missing},
		{"no MAC", cpm.MACVerify, &cpmv1.MacVerifyRequest{Data: []byte{}}, []cpm.KeyRef{code}, fault.Missing},
		{"no material", cpm.Wrap, &cpmv1.WrapRequest{}, []cpm.KeyRef{wrapping}, fault.Missing},
		{"material of a length KW cannot wrap", cpm.Wrap, &cpmv1.WrapRequest{Material: sum[1:]}, []cpm.KeyRef{wrapping}, fault.Invalid},
		{"nothing to unwrap", cpm.Unwrap, &cpmv1.UnwrapRequest{}, []cpm.KeyRef{wrapping}, fault.Missing},
		{"unwrap without a key", cpm.Unwrap, &cpmv1.UnwrapRequest{Wrapped: []byte{1}}, nil, fault.Refused},
		{"no data to hash", cpm.Digest, &cpmv1.DigestRequest{}, nil, fault.Missing},
		{"another hash", cpm.Digest, &cpmv1.DigestRequest{Data: []byte{}, Algorithm: "MD5"}, nil, fault.Invalid},
		{"no random bytes", cpm.Random, &cpmv1.RandomRequest{}, nil, fault.Invalid},
		{"too many random bytes", cpm.Random, &cpmv1.RandomRequest{Length: 65537}, nil, fault.Invalid},
	}
	for _, test := range tests {
		if _, err := do[proto.Message](g, test.operation, test.request, test.keys...); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A key whose bytes do not fit its algorithm, or whose curve is another one, does nothing.
func TestKeysThatDoNotFitTheirAlgorithmDoNothing(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	tests := []struct {
		name, algorithm string
		use             cpm.KeyUse
		key             any
		want            fault.Kind
	}{
		{"too short", "A256GCM", cpm.UseDataEncryption, make([]byte, 16), fault.Device},
		{"unknown algorithm", "A256XTS", cpm.UseDataEncryption, make([]byte, 32), fault.Device},
		{"of another use", "HS256", cpm.UseDataEncryption, make([]byte, 32), fault.Device},
		{"P-384 for HPKE", cpm.HPKEP256, cpm.UseDataEncryption, material(t, "ES384"), fault.State},
		{"P-256 for X25519", cpm.HPKEX25519, cpm.UseDataEncryption, material(t, "ES256"), fault.State},
		{"RSA for HPKE", cpm.HPKEX25519, cpm.UseDataEncryption, material(t, "RS256"), fault.Device},
		{"ECDSA for RSA", cpm.RSAOAEP256, cpm.UseDataEncryption, material(t, "ES256"), fault.Device},
		{"a signing algorithm", "RS256", cpm.UseDataEncryption, material(t, "RS256"), fault.State},
	}
	for i, test := range tests {
		key := g.put(byte(i+1), test.use, test.algorithm, test.key)
		if _, err := do[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte("x")}, key); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestTheBytesOfASecretKeyAreOverwrittenAfterParsing(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	octets := bytes.Repeat([]byte{7}, 32)
	k := cpm.Material{Ref: cpm.KeyRef{ID: cpm.KeyID{1}}, Algorithm: "HS256", Use: cpm.UseMAC, Private: secret.Take(octets)}
	g.must(g.m.Put(t.Context(), k))
	for range 2 {
		must[*cpmv1.MacResponse](g, cpm.MAC, &cpmv1.MacRequest{Data: []byte("x")}, k.Ref)
	}
	if k.Private.Len() != 0 || !bytes.Equal(octets, make([]byte, 32)) {
		t.Error("the bytes of the key are still there")
	}
}
