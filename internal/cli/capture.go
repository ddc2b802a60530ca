package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of the head of a captured request. A protected header alone may have 32,768 characters (FSPIOP Signature v1.1).
const (
	maxHead   = 128 << 10
	maxFields = 200
)

// captured is one HTTP/1.1 request as text (RFC 9112): request line, fields, empty line, body.
type captured struct {
	method, target, version string
	fields                  []field
	// body is exactly what follows the empty line.
	body []byte
}

// field is one header field, its name in the spelling of the capture.
type field struct{ name, value string }

// parseCapture reads a captured request. Lines end in CRLF or in LF alone, the body is taken byte by byte. What two
// readers could understand differently is refused: folded lines, spaces around names, control characters, a transfer
// coding, a Content-Length that is not the body's. Its errors name lines and never hold the text.
func parseCapture(text []byte) (*captured, error) {
	p := captureParser{rest: text}
	c, err := p.requestLine()
	if err != nil {
		return nil, err
	}
	for {
		line, err := p.line()
		if err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		f, err := p.field(line)
		if err != nil {
			return nil, err
		}
		if c.fields = append(c.fields, f); len(c.fields) > maxFields {
			return nil, fault.New(fault.TooLarge, "the request has more than %d header fields", maxFields)
		}
	}
	c.body = p.rest
	return c, c.checkFraming()
}

// captureParser goes through the lines of the head.
type captureParser struct {
	rest   []byte
	number int // of the line last read, from 1
	read   int // bytes of the head so far
}

func (p *captureParser) wrong(text string) error {
	return fault.New(fault.Invalid, "line %d of the request: %s", p.number, text)
}

// line gives the next line without its end.
func (p *captureParser) line() (string, error) {
	p.number++
	end := bytes.IndexByte(p.rest[:min(len(p.rest), maxHead+1-p.read)], '\n')
	if end < 0 && p.read+len(p.rest) > maxHead {
		return "", fault.New(fault.TooLarge, "the head of the request is longer than %d bytes", maxHead)
	}
	if end < 0 {
		return "", p.wrong("the empty line between header and body is missing")
	}
	line := bytes.TrimSuffix(p.rest[:end], []byte{'\r'})
	p.rest = p.rest[end+1:]
	p.read += end + 1
	for _, c := range line {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return "", p.wrong("a control character")
		}
	}
	if !utf8.Valid(line) {
		return "", p.wrong("not UTF-8")
	}
	return string(line), nil
}

func (p *captureParser) requestLine() (*captured, error) {
	line, err := p.line()
	if err != nil {
		return nil, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !token(parts[0]) || parts[1] == "" || strings.ContainsRune(parts[1], '\t') || !strings.HasPrefix(parts[2], "HTTP/") {
		return nil, p.wrong("not METHOD TARGET HTTP/1.1")
	}
	return &captured{method: parts[0], target: parts[1], version: parts[2]}, nil
}

func (p *captureParser) field(line string) (field, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !token(name) {
		return field{}, p.wrong("not Name: value")
	}
	return field{name, strings.Trim(value, " \t")}, nil
}

// token is the rule for methods and field names (RFC 9110, section 5.6.2).
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

// checkFraming makes sure that the rest of the text is the body.
func (c *captured) checkFraming() error {
	for _, f := range c.fields {
		switch strings.ToLower(f.name) {
		case "transfer-encoding":
			return fault.New(fault.Invalid, "the request has a Transfer-Encoding: capture it with the body decoded")
		case "content-length":
			n, err := strconv.ParseUint(f.value, 10, 63)
			if err != nil {
				return fault.New(fault.Invalid, "the request's Content-Length is not a number")
			}
			if n != uint64(len(c.body)) {
				return fault.New(fault.Invalid, "the request's Content-Length is %d and its body has %d bytes: remove the header, or what was added to the body", n, len(c.body))
			}
		}
	}
	return nil
}

// headers are the fields by lower-case name; those of one name are joined in their order, as RFC 9110 section 5.3 allows.
func (c *captured) headers() map[string]string {
	all := map[string]string{}
	for _, f := range c.fields {
		name := strings.ToLower(f.name)
		if before, twice := all[name]; twice {
			all[name] = before + ", " + f.value
		} else {
			all[name] = f.value
		}
	}
	return all
}

// remove takes the fields of these names out.
func (c *captured) remove(names ...string) {
	c.fields = slices.DeleteFunc(c.fields, func(f field) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, f.name) })
	})
}

// with is the request as it is to be sent: the given fields in place of those of the same names, the given body, and its
// Content-Length.
func (c *captured) with(fields []field, body []byte) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s %s\r\n", c.method, c.target, c.version)
	fields = append(fields, field{"Content-Length", strconv.Itoa(len(body))})
	for _, f := range c.fields {
		if !named(fields, f.name) {
			fmt.Fprintf(&out, "%s: %s\r\n", f.name, f.value)
		}
	}
	for _, f := range fields {
		fmt.Fprintf(&out, "%s: %s\r\n", f.name, f.value)
	}
	out.WriteString("\r\n")
	out.Write(body)
	return out.Bytes()
}

func named(fields []field, name string) bool {
	for _, f := range fields {
		if strings.EqualFold(f.name, name) {
			return true
		}
	}
	return false
}
