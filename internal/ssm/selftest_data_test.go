package ssm

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/operation"
	"github.com/mojaloop/cpm/internal/symmetric"
)

func TestSelfTestNoticesWrongAnswersAboutData(t *testing.T) {
	t.Parallel()
	var answers []dataAnswer
	fatal(t, json.Unmarshal(knownData, &answers))
	if len(answers) < 20 {
		t.Errorf("there are %d answers", len(answers))
	}
	for i, a := range answers {
		if err := a.check(t.Context()); err != nil {
			t.Errorf("%s: %v", a.Algorithm, err)
		}
		wrong := a
		wrong.Output = bytes.Clone(a.Output)
		wrong.Output[len(wrong.Output)/2] ^= 1
		if wrong.check(t.Context()) == nil {
			t.Errorf("%s: a wrong answer passes", a.Algorithm)
		}
		wrong = a
		wrong.Input = append(bytes.Clone(a.Input), "12345678"...)
		if wrong.check(t.Context()) == nil {
			t.Errorf("%s: the answer to something else passes", a.Algorithm)
		}
		wrong = a
		wrong.Algorithm = answers[(i+1)%len(answers)].Algorithm
		if wrong.Algorithm != a.Algorithm && wrong.check(t.Context()) == nil {
			t.Errorf("%s: passes as %s", a.Algorithm, wrong.Algorithm)
		}
	}
	for _, private := range []string{"nothing", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if (dataAnswer{Algorithm: cpm.RSAOAEP256, Use: cpm.UseDataEncryption, Private: private}).check(t.Context()) == nil {
			t.Error("no key passes")
		}
	}
}

// published are answers of standards, so that not only our own word stands for the code.
func published() map[string]dataAnswer {
	return map[string]dataAnswer{
		// RFC 4493, section 4, example 2.
		"mac A128CMAC": {
			Secret: unhex("2b7e151628aed2a6abf7158809cf4f3c"), Input: unhex("6bc1bee22e409f96e93d7e117393172a"),
			Output: unhex("070a16b46b4d4144f79bdd9dd04a287c"),
		},
		// RFC 4231, section 4.2.
		"mac HS256": {
			Secret: bytes.Repeat([]byte{0x0b}, 20), Input: []byte("Hi There"),
			Output: unhex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
		},
		// RFC 3394, sections 4.1 and 4.6.
		"wrap A128KW": {
			Secret: unhex("000102030405060708090a0b0c0d0e0f"), Input: unhex("00112233445566778899aabbccddeeff"),
			Output: unhex("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
		},
		"wrap A256KW": {
			Secret: unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
			Input:  unhex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"),
			Output: unhex("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"),
		},
		// RFC 5649, section 6.
		"wrap A192KWP": {
			Secret: unhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"), Input: unhex("c37b7e6492584340bed12207808941155068f738"),
			Output: unhex("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"),
		},
	}
}

func unhex(text string) []byte {
	var o octets
	if err := o.UnmarshalText([]byte(text)); err != nil {
		panic(err) // the texts stand above
	}
	return o
}

// writeDataAnswers has the product make the answers that are not published; the test above then holds it to them.
func writeDataAnswers(t *testing.T) {
	var answers []dataAnswer
	for _, name := range dataAlgorithms() {
		use, algorithm, _ := strings.Cut(name, " ")
		a, known := published()[name]
		a.Algorithm, a.Use = algorithm, cpm.KeyUse(use)
		if !known {
			a.Input = []byte("CPM known answer, test ..")[:24] // KW takes multiples of 8
			a.makeKey(t)
			a.makeOutput(t)
		}
		answers = append(answers, a)
	}
	text, err := json.MarshalIndent(answers, "", "  ")
	fatal(t, err)
	fatal(t, os.WriteFile("selftest_data.json", append(text, '\n'), 0o600))
}

func (a *dataAnswer) makeKey(t *testing.T) {
	if a.Use == "" {
		return
	}
	if _, ok := symmetric.AlgorithmNamed(a.Algorithm); ok {
		a.Secret = material(t, a.Algorithm).([]byte)
		return
	}
	der, err := x509.MarshalPKCS8PrivateKey(material(t, a.Algorithm))
	fatal(t, err)
	a.Private = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (a *dataAnswer) makeOutput(t *testing.T) {
	m, err := a.material()
	fatal(t, err)
	s := selfTested{ctx: t.Context(), answer: *a, ring: newRing()}
	s.ring.put(m)
	s.engine = operation.New(s.ring, nil)
	switch a.Use {
	case "":
		made, err := s.do(cpm.Digest, &cpmv1.DigestRequest{Data: a.Input, Algorithm: a.Algorithm})
		fatal(t, err)
		a.Output = made.(*cpmv1.DigestResponse).GetDigest()
	case cpm.UseDataSignature:
		made, err := s.do(cpm.Sign, &cpmv1.SignRequest{Input: &cpmv1.SignRequest_Data{Data: a.Input}})
		fatal(t, err)
		a.Output = made.(*cpmv1.SignResponse).GetSignature()
	case cpm.UseDataEncryption:
		made, err := s.do(cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: a.Input})
		fatal(t, err)
		a.Output = made.(*cpmv1.EncryptResponse).GetCiphertext()
	case cpm.UseWrap:
		made, err := s.do(cpm.Wrap, &cpmv1.WrapRequest{Material: a.Input})
		fatal(t, err)
		a.Output = made.(*cpmv1.WrapResponse).GetWrapped()
	default:
		made, err := s.do(cpm.MAC, &cpmv1.MacRequest{Data: a.Input})
		fatal(t, err)
		a.Output = made.(*cpmv1.MacResponse).GetMac()
	}
}
