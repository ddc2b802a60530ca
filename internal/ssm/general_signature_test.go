package ssm

import (
	"bytes"
	"crypto"
	"strings"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fspiop"
)

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
