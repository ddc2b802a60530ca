package api

import (
	"strings"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// bodied and headed are the members that messages of operations have in common; the generated code makes these methods
// of the definition's names.
type (
	bodied interface {
		GetBody() string
		GetBodyBase64() []byte
	}
	headed    interface{ GetHeaders() map[string]string }
	addressed interface {
		GetMethod() string
		GetUri() string
	}
	formed interface{ GetForm() string }
	keyed  interface{ GetKey() *cpmv1.KeySelector }
)

// envelope is what a message weighs beside its members.
const envelope = 64

// inspect checks what holds for the messages of all operations and gives the size.
func (l *Limits) inspect(m proto.Message) (size int, e *fault.Error) {
	body := 0
	if b, ok := m.(bodied); ok {
		if body = len(b.GetBody()) + len(b.GetBodyBase64()); body > l.Body {
			return 0, tooLarge("the decoded body has more than %d bytes", l.Body)
		}
	}
	h, ok := m.(headed)
	if !ok {
		return envelope + proto.Size(m), nil
	}
	// proto.Size allocates for each header and takes several times as long as all of this.
	headers, e := l.inspectHeaders(h.GetHeaders())
	if e != nil {
		return 0, e
	}
	size = envelope + body + headers
	if a, ok := m.(addressed); ok {
		size += len(a.GetMethod()) + len(a.GetUri())
	}
	if f, ok := m.(formed); ok {
		size += len(f.GetForm())
	}
	if k, ok := m.(keyed); ok {
		size += len(k.GetKey().GetName())
	}
	return size, nil
}

// inspectHeaders bounds the headers and refuses names that differ in case only: which of the two is signed would depend
// on who reads them.
func (l *Limits) inspectHeaders(headers map[string]string) (size int, e *fault.Error) {
	if len(headers) > l.Headers {
		return 0, tooLarge("more than %d headers", l.Headers)
	}
	var room [24]string
	names := room[:0]
	for name, value := range headers {
		if name == "" {
			return 0, fault.New(fault.Invalid, "a header has no name")
		}
		if len(name) > l.HeaderName || len(value) > l.HeaderValue {
			return 0, tooLarge("a header's name or value is too long")
		}
		for _, other := range names {
			if len(other) == len(name) && strings.EqualFold(other, name) {
				return 0, fault.New(fault.Invalid, "two headers have the same name: give one, values joined by a comma")
			}
		}
		names = append(names, name)
		size += len(name) + len(value)
	}
	return size, nil
}

func tooLarge(format string, limit ...any) *fault.Error {
	return fault.New(fault.TooLarge, format, limit...)
}
