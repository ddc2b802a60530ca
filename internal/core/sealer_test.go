package core_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// sealer is a module that "encrypts" fields so that a test can read them: it shows what a plan asks of its steps.
type sealer struct {
	mu   sync.Mutex
	seen []*cpm.Request
	// fail is the error of what comes; nil does the operation.
	fail error
}

func (s *sealer) Status(context.Context) (cpm.Status, error) { return cpm.Status{}, nil }

func (s *sealer) Do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r)
	if s.fail != nil {
		return nil, s.fail
	}
	if ctx.Err() != nil {
		return nil, fault.New(fault.Timeout, "too late")
	}
	key := &cpmv1.KeyIdentity{Name: r.Keys[0].Name, Version: r.Keys[0].Version}
	switch m := r.Payload.Message.(type) {
	case *cpmv1.JweEncryptRequest:
		out := &cpmv1.JweEncryptResponse{Algorithm: m.GetEncryption(), Key: key, Headers: map[string]string{"fspiop-encryption": strings.Join(m.GetFields(), " ")}}
		sealed := rewrite(plain(m), m.GetFields(), func(v any) any {
			text, _ := json.Marshal(v)
			return "sealed for " + string(r.FSP) + ": " + string(text)
		})
		if _, bytes := m.GetContent().(*cpmv1.JweEncryptRequest_BodyBase64); bytes {
			out.Content = &cpmv1.JweEncryptResponse_BodyBase64{BodyBase64: sealed}
		} else {
			out.Content = &cpmv1.JweEncryptResponse_Body{Body: string(sealed)}
		}
		return &cpm.Result{Payload: cpm.Payload{Message: out}}, nil
	case *cpmv1.JweDecryptRequest:
		fields := strings.Fields(m.GetHeaders()["fspiop-encryption"])
		clear := rewrite(plain(m), fields, func(v any) any {
			text, ours := strings.CutPrefix(v.(string), "sealed for "+string(r.FSP)+": ")
			if !ours {
				return nil
			}
			var inner any
			_ = json.Unmarshal([]byte(text), &inner)
			return inner
		})
		return &cpm.Result{Payload: cpm.Payload{Message: &cpmv1.JweDecryptResponse{
			Fields: fields, Key: key, Content: &cpmv1.JweDecryptResponse_Body{Body: string(clear)},
		}}}, nil
	}
	return nil, fault.New(fault.Unsupported, "not this")
}

func plain(m interface {
	GetBody() string
	GetBodyBase64() []byte
},
) []byte {
	if b := m.GetBodyBase64(); len(b) > 0 {
		return b
	}
	return []byte(m.GetBody())
}

// rewrite changes the values at dotted paths of a JSON text.
func rewrite(text []byte, fields []string, change func(any) any) []byte {
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		return nil
	}
	for _, f := range fields {
		at, names := body, strings.Split(f, ".")
		for _, n := range names[:len(names)-1] {
			at = at[n].(map[string]any)
		}
		last := names[len(names)-1]
		at[last] = change(at[last])
	}
	out, _ := json.Marshal(body)
	return out
}

// requests are those it was given, in order.
func (s *sealer) requests() []*cpm.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func (s *sealer) failing(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}
