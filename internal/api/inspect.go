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
	headed interface{ GetHeaders() map[string]string }
	// The data of the general operations.
	dataful    interface{ GetData() []byte }
	plaintext  interface{ GetPlaintext() []byte }
	ciphertext interface{ GetCiphertext() []byte }
	// The texts of a quote or transaction, and of a packet with its transfer.
	quoting interface {
		GetTransaction() string
		GetQuote() *cpmv1.IlpQuote
		GetFxQuote() *cpmv1.IlpQuote
	}
	packed      interface{ GetIlpPacket() string }
	transferred interface{ GetTransfer() string }
)

// envelope is what a message weighs beside its body and headers.
const envelope = 64

// inspect checks what holds for the messages of all operations and gives the size.
func (l *Limits) inspect(m proto.Message) (size int, e *fault.Error) {
	size = envelope
	if b, ok := m.(bodied); ok {
		n := len(b.GetBody()) + len(b.GetBodyBase64())
		if n > l.Body {
			return 0, tooLarge("the decoded body has more than %d bytes", l.Body)
		}
		size += n
	}
	if h, ok := m.(headed); ok {
		n, e := l.inspectHeaders(h.GetHeaders())
		if e != nil {
			return 0, e
		}
		size += n
	}
	return size + l.inspectData(m) + inspectILP(m), nil
}

// inspectILP weighs the texts of ILP; the decoders bound them.
func inspectILP(m proto.Message) (size int) {
	if q, ok := m.(quoting); ok {
		size += len(q.GetTransaction())
		for _, quote := range []*cpmv1.IlpQuote{q.GetQuote(), q.GetFxQuote()} {
			size += len(quote.GetRequest()) + len(quote.GetResponse())
		}
	}
	if p, ok := m.(packed); ok {
		size += len(p.GetIlpPacket())
	}
	if t, ok := m.(transferred); ok {
		size += len(t.GetTransfer())
	}
	return size
}

// inspectData weighs the data of general operations; the decoders bound it.
func (l *Limits) inspectData(m proto.Message) (size int) {
	if d, ok := m.(dataful); ok {
		size += len(d.GetData())
	}
	if p, ok := m.(plaintext); ok {
		size += len(p.GetPlaintext())
	}
	if c, ok := m.(ciphertext); ok {
		size += len(c.GetCiphertext())
	}
	return size
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
