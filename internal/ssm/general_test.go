package ssm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/secret"
)

// general is a module that does the general operations, with keys put into it by number.
type general struct {
	t testing.TB
	m *Module
}

func newGeneral(t testing.TB) *general {
	t.Helper()
	var mandated []cpm.Operation
	for _, row := range cpm.Operations() {
		if row.General {
			mandated = append(mandated, row.Operation)
		}
	}
	m := New(Config{Mandated: mandated, HeavyWorkers: 2, Now: time.Now})
	t.Cleanup(func() { _ = m.Shutdown(context.WithoutCancel(t.Context())) })
	return &general{t, m}
}

func (g *general) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// private is a private key of the standard library.
type private interface{ Public() crypto.PublicKey }

// put gives the module a key: bytes of a secret key, or a private or public one.
func (g *general) put(number byte, use cpm.KeyUse, algorithm string, key any) cpm.KeyRef {
	g.t.Helper()
	ref := cpm.KeyRef{ID: cpm.KeyID{15: number}, Name: algorithm, Version: uint32(number)}
	m := cpm.Material{Ref: ref, Algorithm: algorithm, Use: use}
	var err error
	switch k := key.(type) {
	case []byte:
		m.Private = secret.Take(bytes.Clone(k))
	case private:
		var encoded []byte
		encoded, err = x509.MarshalPKCS8PrivateKey(k)
		g.must(err)
		m.Private = secret.Take(encoded)
		m.Public, err = x509.MarshalPKIXPublicKey(k.Public())
	default:
		m.Public, err = x509.MarshalPKIXPublicKey(k)
	}
	g.must(err)
	g.must(g.m.Put(g.t.Context(), m))
	return ref
}

// do performs one operation.
func do[M proto.Message](g *general, o cpm.Operation, q proto.Message, keys ...cpm.KeyRef) (out M, err error) {
	g.t.Helper()
	result, err := g.m.Do(g.t.Context(), &cpm.Request{
		ID: "r", FSP: "payerfsp", Operation: o, Keys: keys, Arrival: time.Now(), Size: proto.Size(q), Payload: cpm.Payload{Message: q},
	})
	if err != nil {
		return out, err
	}
	return result.Payload.Message.(M), nil
}

// must is do where nothing else will do.
func must[M proto.Message](g *general, o cpm.Operation, q proto.Message, keys ...cpm.KeyRef) M {
	g.t.Helper()
	out, err := do[M](g, o, q, keys...)
	g.must(err)
	return out
}

// material makes a new key for an algorithm of the general operations.
func material(t testing.TB, algorithm string) any {
	t.Helper()
	var (
		key any
		err error
	)
	octets := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	switch {
	case algorithm == "ES256" || algorithm == cpm.HPKEP256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algorithm == "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case algorithm == "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case algorithm == "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case algorithm == cpm.HPKEX25519:
		key, err = ecdh.X25519().GenerateKey(rand.Reader)
	case strings.HasPrefix(algorithm, "RS"), strings.HasPrefix(algorithm, "PS"):
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case strings.HasPrefix(algorithm, "A128"):
		key = octets(16)
	case strings.HasPrefix(algorithm, "A192"):
		key = octets(24)
	default:
		key = octets(32)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestEverySignatureAlgorithmSignsDataAndDigests(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	data := []byte("a message")
	for i, name := range fspiop.DataAlgorithmNames() {
		key := g.put(byte(i+1), cpm.UseDataSignature, name, material(t, name))
		algorithm, _ := fspiop.DataAlgorithmNamed(name)
		encodings := []string{"", "raw"}
		if strings.HasPrefix(name, "ES") {
			encodings = append(encodings, "der")
		}
		for _, encoding := range encodings {
			given := must[*cpmv1.SignResponse](g, cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: data}, Encoding: encoding}, key)
			if given.GetAlgorithm() != name || given.GetKey().GetVersion() != key.Version {
				t.Errorf("%s: %v", name, given)
			}
			g.judge(name+" "+encoding, key, data, given.GetSignature(), encoding)
			if algorithm.Digest() == 0 {
				continue
			}
			hash := map[int]crypto.Hash{32: crypto.SHA256, 48: crypto.SHA384, 64: crypto.SHA512}[algorithm.Digest()].New()
			hash.Write(data)
			sum := hash.Sum(nil)
			given = must[*cpmv1.SignResponse](g, cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Digest{Digest: sum}, Encoding: encoding}, key)
			g.judge(name+" over a digest "+encoding, key, data, given.GetSignature(), encoding)
			verdict := must[*cpmv1.VerifyResponse](g, cpm.Verify, &cpmv1.VerifyRequest{
				Input: &cpmv1.VerifyRequest_Digest{Digest: sum}, Signature: given.GetSignature(), Encoding: encoding,
			}, key)
			if !verdict.GetValid() {
				t.Errorf("%s: a signature over a digest does not verify", name)
			}
		}
	}
}

// judge expects a signature over data to be right, and one over other data or changed anywhere to be wrong.
func (g *general) judge(name string, key cpm.KeyRef, data, signature []byte, encoding string) {
	g.t.Helper()
	ask := func(data, signature []byte) *cpmv1.VerifyResponse {
		return must[*cpmv1.VerifyResponse](g, cpm.Verify, &cpmv1.VerifyRequest{
			Input: &cpmv1.VerifyRequest_Data{Data: data}, Signature: signature, Encoding: encoding,
		}, key)
	}
	if v := ask(data, signature); !v.GetValid() || v.GetKey().GetId() != key.ID.String() {
		g.t.Errorf("%s: %v", name, v)
	}
	if v := ask(append(bytes.Clone(data), '!'), signature); v.Valid == nil || v.GetValid() || v.Key != nil {
		g.t.Errorf("%s over something else: %v", name, v)
	}
	for _, at := range []int{0, len(signature) / 2, len(signature) - 1} {
		changed := bytes.Clone(signature)
		changed[at] ^= 1
		if ask(data, changed).GetValid() {
			g.t.Errorf("%s: byte %d changed and it verifies", name, at)
		}
	}
	if ask(data, signature[:len(signature)-1]).GetValid() || ask(data, append(bytes.Clone(signature), 0)).GetValid() {
		g.t.Errorf("%s: verifies with another length", name)
	}
}

func TestASignatureOfASupersededKeyVerifiesWithTheRightOne(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	first := g.put(1, cpm.UseDataSignature, "ES256", material(t, "ES256"))
	second := g.put(2, cpm.UseDataSignature, "EdDSA", material(t, "EdDSA"))
	data := &cpmv1.SignRequest_Data{Data: []byte("x")}
	given := must[*cpmv1.SignResponse](g, cpm.Sign, &cpmv1.SignRequest{Input: data}, first)
	verdict := must[*cpmv1.VerifyResponse](g, cpm.Verify, &cpmv1.VerifyRequest{
		Input: &cpmv1.VerifyRequest_Data{Data: []byte("x")}, Signature: given.GetSignature(),
	}, second, first)
	if !verdict.GetValid() || verdict.GetAlgorithm() != "ES256" || verdict.GetKey().GetVersion() != first.Version {
		t.Errorf("got %v", verdict)
	}
}

func TestEveryAlgorithmDecryptsWhatItEncrypted(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	algorithms := []string{"A128GCM", "A192GCM", "A256GCM", cpm.RSAOAEP256, cpm.HPKEP256, cpm.HPKEX25519}
	other := g.put(99, cpm.UseDataEncryption, "A256GCM", material(t, "A256GCM"))
	for i, name := range algorithms {
		key := g.put(byte(i+1), cpm.UseDataEncryption, name, material(t, name))
		for _, plaintext := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("long "), 38)} {
			associated := []byte("what it belongs to")
			sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: plaintext, AssociatedData: associated}, key)
			if id, ok := cpm.CiphertextKey(sealed.GetCiphertext()); !ok || id != key.ID || sealed.GetAlgorithm() != name {
				t.Fatalf("%s: %v", name, sealed)
			}
			opened := must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed.GetCiphertext(), AssociatedData: associated}, key)
			if opened.Plaintext == nil || !bytes.Equal(opened.GetPlaintext(), plaintext) {
				t.Errorf("%s: %q comes back as %q", name, plaintext, opened.GetPlaintext())
			}
			moved := must[*cpmv1.RewrapResponse](g, cpm.Rewrap, &cpmv1.RewrapRequest{Ciphertext: sealed.GetCiphertext(), AssociatedData: associated}, other, key)
			opened = must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: moved.GetCiphertext(), AssociatedData: associated}, other)
			if !bytes.Equal(opened.GetPlaintext(), plaintext) || moved.GetKey().GetId() != other.ID.String() {
				t.Errorf("%s: rewrapped to %v", name, moved)
			}
			g.refusesChanges(name, key, sealed.GetCiphertext(), associated)
		}
	}
}

// refusesChanges expects one and the same answer to a ciphertext whatever was changed.
func (g *general) refusesChanges(name string, key cpm.KeyRef, ciphertext, associated []byte) {
	g.t.Helper()
	asks := map[string]*cpmv1.DecryptRequest{
		"other data":    {Ciphertext: ciphertext, AssociatedData: append(bytes.Clone(associated), 'x')},
		"no data":       {Ciphertext: ciphertext},
		"nothing":       {AssociatedData: associated},
		"only a prefix": {Ciphertext: ciphertext[:cpm.CiphertextPrefix], AssociatedData: associated},
		"one byte less": {Ciphertext: ciphertext[:len(ciphertext)-1], AssociatedData: associated},
		"one byte more": {Ciphertext: append(bytes.Clone(ciphertext), 0), AssociatedData: associated},
		"moved border":  {Ciphertext: ciphertext[:cpm.CiphertextPrefix-1], AssociatedData: append([]byte{ciphertext[16]}, associated...)},
	}
	for _, at := range []int{0, 1, cpm.CiphertextPrefix - 1, cpm.CiphertextPrefix, len(ciphertext) / 2, len(ciphertext) - 1} {
		changed := bytes.Clone(ciphertext)
		changed[at] ^= 1
		asks[fmt.Sprint("byte ", at)] = &cpmv1.DecryptRequest{Ciphertext: changed, AssociatedData: associated}
	}
	for what, q := range asks {
		_, err := do[*cpmv1.DecryptResponse](g, cpm.Decrypt, q, key)
		if f := fault.From(err); err == nil || f.Kind != fault.Refused || f.Public != cpm.NotDecrypted {
			g.t.Errorf("%s, %s: %v", name, what, err)
		}
	}
}

// The id in a ciphertext is authenticated: the same key under another id does not open it.
func TestACiphertextIsBoundToTheIDOfItsKey(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	for i, name := range []string{"A256GCM", cpm.RSAOAEP256, cpm.HPKEP256, cpm.HPKEX25519} {
		same := material(t, name)
		one, two := g.put(byte(2*i+1), cpm.UseDataEncryption, name, same), g.put(byte(2*i+2), cpm.UseDataEncryption, name, same)
		sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte("x")}, one).GetCiphertext()
		copy(sealed[1:], two.ID[:])
		if _, err := do[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed}, two); !errors.Is(err, fault.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRSATakesNoMoreThanFits(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	private := material(t, cpm.RSAOAEP256)
	data, wrapping := g.put(1, cpm.UseDataEncryption, cpm.RSAOAEP256, private), g.put(2, cpm.UseWrap, cpm.RSAOAEP256, private)
	for size, want := range map[int]error{190: nil, 191: fault.TooLarge} {
		_, err := do[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: make([]byte, size)}, data)
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
		_, err = do[*cpmv1.WrapResponse](g, cpm.Wrap, &cpmv1.WrapRequest{Material: make([]byte, size)}, wrapping)
		if !errors.Is(err, want) {
			t.Errorf("%d bytes of material: %v", size, err)
		}
	}
}

// A public half is enough to encrypt, and for nothing else.
func TestAPublicHalfEncryptsOnly(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	for i, name := range []string{cpm.RSAOAEP256, cpm.HPKEP256, cpm.HPKEX25519} {
		full := material(t, name).(private)
		public := g.put(byte(i+1), cpm.UseDataEncryption, name, full.Public())
		sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte("x")}, public).GetCiphertext()
		if _, err := do[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed}, public); !errors.Is(err, fault.State) {
			t.Errorf("%s decrypts with a public half: %v", name, err)
		}
		held := g.put(byte(i+1), cpm.UseDataEncryption, name, full)
		if got := must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed}, held).GetPlaintext(); string(got) != "x" {
			t.Errorf("%s: %q", name, got)
		}
	}
	signing := material(t, "ES256").(*ecdsa.PrivateKey)
	public := g.put(9, cpm.UseDataSignature, "ES256", signing.Public())
	if _, err := do[*cpmv1.SignResponse](g, cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{}}, public); !errors.Is(err, fault.State) {
		t.Errorf("signs with a public half: %v", err)
	}
}

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

func TestADatakeyIsWhatItsCiphertextHolds(t *testing.T) {
	t.Parallel()
	g := newGeneral(t)
	key := g.put(1, cpm.UseDataEncryption, "A256GCM", material(t, "A256GCM"))
	for asked, want := range map[uint32]int{0: 32, 16: 16, 24: 24, 32: 32, 64: 64} {
		made := must[*cpmv1.DatakeyResponse](g, cpm.Datakey, &cpmv1.DatakeyRequest{Length: asked, AssociatedData: []byte("a")}, key)
		opened := must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: made.GetCiphertext(), AssociatedData: []byte("a")}, key)
		if len(made.GetPlaintext()) != want || !bytes.Equal(made.GetPlaintext(), opened.GetPlaintext()) {
			t.Errorf("%d bytes: %d", asked, len(made.GetPlaintext()))
		}
		wrapped := must[*cpmv1.DatakeyResponse](g, cpm.Datakey, &cpmv1.DatakeyRequest{Length: asked, WrappedOnly: true}, key)
		if wrapped.GetPlaintext() != nil || bytes.Equal(wrapped.GetCiphertext(), made.GetCiphertext()) {
			t.Errorf("wrapped only: %v", wrapped)
		}
		opened = must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: wrapped.GetCiphertext()}, key)
		if len(opened.GetPlaintext()) != want || bytes.Equal(opened.GetPlaintext(), make([]byte, want)) {
			t.Errorf("wrapped only: %x", opened.GetPlaintext())
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
