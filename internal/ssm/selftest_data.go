package ssm

import (
	"bytes"
	"context"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/symmetric"
)

// knownData has a known answer for every algorithm of the general operations beside the signatures of FSPIOP, each with a key made for this and used for
// nothing else.
//
//go:embed selftest_data.json
var knownData []byte

// dataAnswer is one of them.
type dataAnswer struct {
	Algorithm string     `json:"algorithm"`
	Use       cpm.KeyUse `json:"use,omitempty"`
	// Secret is the key's bytes, or Private its PKCS #8 in PEM. Hashes have neither.
	Secret  []byte `json:"secret,omitempty"`
	Private string `json:"private,omitempty"`
	Input   []byte `json:"input"`
	// Output is what the algorithm makes of Input: signature, ciphertext of the operation encrypt, MAC, wrapped key or digest.
	Output []byte `json:"output"`
}

// ref names the key, as the ciphertexts do.
func (a dataAnswer) ref() cpm.KeyRef { return cpm.KeyRef{ID: cpm.KeyID{1}, Name: a.Algorithm} }

// selfTestData checks what is done with data, through the operations and handles that requests take.
func selfTestData(ctx context.Context) error {
	var answers []dataAnswer
	if err := json.Unmarshal(knownData, &answers); err != nil {
		return fmt.Errorf("the known answers cannot be read: %w", err)
	}
	tested := map[string]bool{}
	for _, a := range answers {
		if err := a.check(ctx); err != nil {
			return fmt.Errorf("%s with use %s: %w", a.Algorithm, a.Use, err)
		}
		tested[string(a.Use)+" "+a.Algorithm] = true
	}
	for _, name := range dataAlgorithms() {
		if !tested[name] {
			return fmt.Errorf("%s has no known answer", name)
		}
	}
	return nil
}

// dataAlgorithms lists uses and algorithms that must have an answer.
func dataAlgorithms() []string {
	all := []string{
		"data-sig ES512", "data-enc " + cpm.RSAOAEP256, "data-enc " + cpm.HPKEP256, "data-enc " + cpm.HPKEX25519,
		" SHA-256", " SHA-384", " SHA-512", " SHA3-256", " SHA3-384", " SHA3-512",
	}
	for _, use := range []cpm.KeyUse{cpm.UseDataEncryption, cpm.UseMAC, cpm.UseWrap} {
		for _, name := range symmetric.AlgorithmNames(use) {
			all = append(all, string(use)+" "+name)
		}
	}
	return all
}

// check does the algorithm's operations once forwards and once backwards, and expects something changed to be noticed.
func (a dataAnswer) check(ctx context.Context) error {
	m, err := a.material()
	if err != nil {
		return err
	}
	t := selfTested{ctx: ctx, answer: a, ring: newRing()}
	t.ring.put(m)
	t.engine = operation.New(t.ring, time.Now)
	switch a.Use {
	case "":
		return t.digest()
	case cpm.UseDataSignature:
		return t.signature()
	case cpm.UseDataEncryption:
		return t.encryption()
	case cpm.UseWrap:
		return t.wrapping()
	}
	return t.mac()
}

func (a dataAnswer) material() (cpm.Material, error) {
	m := cpm.Material{Ref: a.ref(), Algorithm: a.Algorithm, Use: a.Use, Private: secret.Take(bytes.Clone(a.Secret))}
	if a.Private == "" {
		return m, nil
	}
	block, _ := pem.Decode([]byte(a.Private))
	if block == nil {
		return m, errors.New("has no key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return m, fmt.Errorf("the key cannot be read: %w", err)
	}
	public, err := publicOf(parsed)
	if err != nil {
		return m, err
	}
	m.Private, m.Public = secret.Take(block.Bytes), public
	return m, nil
}

// selfTested is one known answer under test.
type selfTested struct {
	ctx    context.Context
	answer dataAnswer
	ring   *ring
	engine *operation.Engine
}

// do performs an operation with the key.
func (t selfTested) do(o cpm.Operation, q proto.Message) (proto.Message, error) {
	r := &cpm.Request{Operation: o, Keys: []cpm.KeyRef{t.answer.ref()}, Payload: cpm.Payload{Message: q}}
	result, err := t.engine.Do(t.ctx, r)
	if err != nil {
		return nil, err
	}
	return result.Payload.Message, nil
}

// changed is the known output with one bit other.
func (t selfTested) changed() []byte {
	b := bytes.Clone(t.answer.Output)
	b[len(b)-1] ^= 1
	return b
}

var (
	errOther    = errors.New("gave another answer")
	errAccepted = errors.New("a changed answer is accepted")
)

// refuses says whether an operation declined something changed, and as something changed.
func refuses(err error) error {
	if err == nil {
		return errAccepted
	}
	if !errors.Is(err, fault.Refused) {
		return err
	}
	return nil
}

func (t selfTested) digest() error {
	m, err := t.do(cpm.Digest, &cpmv1.DigestRequest{Data: t.answer.Input, Algorithm: t.answer.Algorithm})
	if err != nil {
		return err
	}
	if d, ok := m.(*cpmv1.DigestResponse); !ok || !bytes.Equal(d.GetDigest(), t.answer.Output) {
		return errOther
	}
	return nil
}

// mac asks the handle.
func (t selfTested) mac() error {
	k, err := t.ring.Key(t.ctx, t.answer.ref())
	if err != nil {
		return err
	}
	handle, ok := k.(operation.MACer)
	if !ok {
		return errors.New("makes no MACs")
	}
	code, err := handle.MAC(t.answer.Input)
	if err != nil {
		return err
	}
	if !bytes.Equal(code, t.answer.Output) {
		return errOther
	}
	return nil
}

func (t selfTested) signature() error {
	verify := func(signature []byte) bool {
		m, err := t.do(cpm.Verify, &cpmv1.VerifyRequest{Input: &cpmv1.VerifyRequest_Data{Data: t.answer.Input}, Signature: signature})
		v, ok := m.(*cpmv1.VerifyResponse)
		return err == nil && ok && v.GetValid()
	}
	if !verify(t.answer.Output) {
		return errors.New("the known signature does not verify")
	}
	if verify(t.changed()) {
		return errAccepted
	}
	m, err := t.do(cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: t.answer.Input}})
	if err != nil {
		return err
	}
	if s, ok := m.(*cpmv1.SignResponse); !ok || !verify(s.GetSignature()) {
		return errOther
	}
	return nil
}

func (t selfTested) encryption() error {
	opens := func(ciphertext []byte) error {
		m, err := t.do(cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: ciphertext})
		if err != nil {
			return err
		}
		if d, ok := m.(*cpmv1.DecryptResponse); !ok || !bytes.Equal(d.GetPlaintext(), t.answer.Input) {
			return errOther
		}
		return nil
	}
	if err := opens(t.answer.Output); err != nil {
		return err
	}
	if err := refuses(opens(t.changed())); err != nil {
		return err
	}
	m, err := t.do(cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: t.answer.Input})
	if err != nil {
		return err
	}
	fresh, ok := m.(*cpmv1.EncryptResponse)
	if !ok || bytes.Equal(fresh.GetCiphertext(), t.answer.Output) {
		return errors.New("encrypted twice the same way")
	}
	return opens(fresh.GetCiphertext())
}

func (t selfTested) wrapping() error {
	unwrap := func(wrapped []byte) ([]byte, error) {
		m, err := t.do(cpm.Unwrap, &cpmv1.UnwrapRequest{Wrapped: wrapped})
		u, _ := m.(*cpmv1.UnwrapResponse)
		return u.GetMaterial(), err
	}
	material, err := unwrap(t.answer.Output)
	if err != nil {
		return err
	}
	if !bytes.Equal(material, t.answer.Input) {
		return errOther
	}
	_, err = unwrap(t.changed())
	if err := refuses(err); err != nil {
		return err
	}
	m, err := t.do(cpm.Wrap, &cpmv1.WrapRequest{Material: t.answer.Input})
	if err != nil {
		return err
	}
	if w, ok := m.(*cpmv1.WrapResponse); !ok || !bytes.Equal(w.GetWrapped(), t.answer.Output) {
		return errOther
	}
	return nil
}
