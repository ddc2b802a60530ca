package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/fault"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// prepare makes the workloads of all keys. It signs every message once, which is what verification needs, and shows before
// anything is measured that the server has the keys, signs and verifies with them, and can say no.
func prepare(ctx context.Context, c Config, s *server) ([]*workload, error) {
	var all []*workload
	for _, key := range c.Keys {
		some, err := prepareKey(ctx, c, s, key)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func prepareKey(ctx context.Context, c Config, s *server, key Key) ([]*workload, error) {
	requests := map[string][]*cpmv1.ProcessRequest{}
	var signed *cpmv1.JwsSignResponse
	date := time.Now().UTC().Format(http.TimeFormat) // for a server that looks at it
	for i := range max(distinct, c.Batch) {
		request := signRequest(c.FSP, key.Name, date, i)
		var err error
		if signed, err = s.sign(ctx, key, request); err != nil {
			return nil, err
		}
		requests[opSign] = append(requests[opSign], request)
		requests[opVerify] = append(requests[opVerify], verifyRequest(request, signed))
	}
	if err := s.verify(ctx, requests[opVerify][0]); err != nil {
		return nil, err
	}
	bits, err := signatureBits(signed.GetHeaders()[headerSignature])
	if err != nil {
		return nil, fault.New(fault.Invalid, "the server's FSPIOP-Signature is not what it should be").Because(err)
	}
	p, err := newPrimitive(key.Algorithm, bits)
	if err != nil {
		return nil, fault.New(fault.Internal, "the raw primitive does not work in this process").Because(err)
	}
	return newWorkloads(c, key, p, requests)
}

func newWorkloads(c Config, key Key, p primitive, requests map[string][]*cpmv1.ProcessRequest) ([]*workload, error) {
	var found []*workload
	for _, operation := range c.Operations {
		w, err := newWorkload(key, operation, requests[operation], c.Batch)
		if err != nil {
			return nil, fault.New(fault.Internal, "the requests cannot be encoded").Because(err)
		}
		w.primitive = p
		found = append(found, w)
	}
	return found, nil
}

// sign signs one message and checks that the answer is complete and made with the key's algorithm.
func (s *server) sign(ctx context.Context, key Key, request *cpmv1.ProcessRequest) (*cpmv1.JwsSignResponse, error) {
	answer, err := s.process(ctx, request)
	if err == nil {
		err = judge(opSign, answer)
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the server did not sign: is it running, and has the FSP this key?").Because(err)
	}
	signed := answer.GetJwsSign()
	if signed.GetAlgorithm() != key.Algorithm {
		return nil, fault.New(fault.Invalid, "the key has another algorithm than the driver was told")
	}
	return signed, nil
}

// verify expects the server to accept a signed message, and to refuse it once its body is another one.
func (s *server) verify(ctx context.Context, request *cpmv1.ProcessRequest) error {
	answer, err := s.process(ctx, request)
	if err == nil {
		err = judge(opVerify, answer)
	}
	if err != nil {
		return fault.New(fault.Unavailable, "the server did not verify its own signature").Because(err)
	}
	answer, err = s.process(ctx, tampered(request))
	switch verdict := answer.GetJwsVerify(); {
	case err != nil:
		return fault.New(fault.Unavailable, "the server did not judge a tampered message").Because(err)
	case verdict == nil || verdict.GetValid():
		return fault.New(fault.Invalid, "the server accepts a tampered message: its speed means nothing")
	}
	return nil
}

// tampered is a message whose amount was changed after signing.
func tampered(request *cpmv1.ProcessRequest) *cpmv1.ProcessRequest {
	changed := proto.CloneOf(request)
	verify := changed.GetJwsVerify()
	switch content := verify.GetContent().(type) {
	case *cpmv1.JwsVerifyRequest_Body:
		content.Body = strings.Replace(content.Body, `"USD"`, `"EUR"`, 1)
	case *cpmv1.JwsVerifyRequest_BodyBase64:
		content.BodyBase64 = append(content.BodyBase64, ' ', '0')
	}
	return changed
}

// signatureBits is the length of the signature in an FSPIOP-Signature header, for RSA that of the modulus.
func signatureBits(header string) (int, error) {
	var parts struct {
		Signature string `json:"signature"`
	}
	if err := json.Unmarshal([]byte(header), &parts); err != nil {
		return 0, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts.Signature)
	if err != nil {
		return 0, err
	}
	if len(signature) < 64 || len(signature) > 1024 {
		return 0, errors.New("the signature has an odd length")
	}
	return 8 * len(signature), nil
}

// check verifies sampled signatures through the server and says how many are good.
func (s *server) check(ctx context.Context, samples []*cpmv1.ProcessRequest, t *tally) (good int) {
	for _, request := range samples {
		answer, err := s.process(ctx, request)
		if err == nil {
			err = judge(opVerify, answer)
		}
		if err != nil {
			t.add(err, 1)
			continue
		}
		good++
	}
	return good
}
