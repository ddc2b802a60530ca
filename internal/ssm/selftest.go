package ssm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/mojaloop/cpm/internal/fspiop"
)

// knownAnswers has a key pair, made for this and used for nothing else, and a signature for every algorithm.
//
//go:embed selftest.json
var knownAnswers []byte

// answer is one known answer.
type answer struct {
	Algorithm string `json:"algorithm"`
	// Private is PKCS #8 in PEM.
	Private string `json:"private"`
	// Signature is over selfTestInput.
	Signature []byte `json:"signature"`
	// Deterministic algorithms give the same signature each time.
	Deterministic bool `json:"deterministic"`
}

// selfTestInput is what the known answers sign.
const selfTestInput = "CPM known answer test"

// SelfTest checks every algorithm against a known answer: it must verify, a changed input must not, and signing must give
// the same answer where the algorithm is deterministic, one that verifies where it is not.
func SelfTest(ctx context.Context) error {
	var answers []answer
	if err := json.Unmarshal(knownAnswers, &answers); err != nil {
		return fmt.Errorf("the known answers cannot be read: %w", err)
	}
	tested := map[string]bool{}
	for _, a := range answers {
		if err := a.check(); err != nil {
			return fmt.Errorf("%s: %w", a.Algorithm, err)
		}
		tested[a.Algorithm] = true
	}
	for _, name := range fspiop.AlgorithmNames() {
		if !tested[name] {
			return fmt.Errorf("%s has no known answer", name)
		}
	}
	if err := selfTestILP(); err != nil {
		return err
	}
	return selfTestData(ctx)
}

func (a answer) check() error {
	algorithm, known := fspiop.AlgorithmNamed(a.Algorithm)
	if !known {
		return errors.New("is not an algorithm")
	}
	block, _ := pem.Decode([]byte(a.Private))
	if block == nil {
		return errors.New("has no key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("the key cannot be read: %w", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return errors.New("the key cannot sign")
	}
	return a.compare(algorithm, signer)
}

func (a answer) compare(algorithm fspiop.Algorithm, signer crypto.Signer) error {
	input := []byte(selfTestInput)
	if !algorithm.Verify(signer.Public(), input, a.Signature) {
		return errors.New("the known signature does not verify")
	}
	if algorithm.Verify(signer.Public(), input[1:], a.Signature) {
		return errors.New("a signature of something else verifies")
	}
	signature, err := algorithm.Sign(rand.Reader, signer, input)
	if err != nil {
		return fmt.Errorf("signing failed: %w", err)
	}
	if a.Deterministic && !bytes.Equal(signature, a.Signature) {
		return errors.New("signing gave another answer")
	}
	if !algorithm.Verify(signer.Public(), input, signature) {
		return errors.New("the new signature does not verify")
	}
	return nil
}
