package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// plea is one request of the JSON port as it goes over the wire. It is not made by an HTTP client, which would mend it.
type plea struct {
	method, path string
	header       map[string]string
	body         []byte
	// See httpCase.
	chunked, slowly, silent bool
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
	// next is the reply to one more request, on a connection that was kept.
	next *reply
}

// ask sends the plea on a connection of its own and reads everything that comes back. It is an error unless that is one
// answer and, on a connection that is kept, the answer to one more request.
func (p plea) ask(address string, c *tls.Config) (reply, error) {
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		p.write(conn)
	}()
	in := bufio.NewReader(conn)
	r, kept, err := readReply(in)
	if err != nil {
		return r, err
	}
	if kept {
		<-sent
		if r.next, err = oneMore(conn, in); err != nil {
			return r, fmt.Errorf("on a kept connection: %w", err)
		}
	}
	return r, nothing(in)
}

// readReply reads one answer, and whether the connection is kept.
func readReply(in *bufio.Reader) (r reply, kept bool, err error) {
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return r, false, fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	r = reply{status: answer.StatusCode, header: answer.Header}
	if r.body, err = io.ReadAll(answer.Body); err != nil {
		err = fmt.Errorf("half an answer: %w", err)
	}
	return r, !answer.Close, err
}

// refused is nil when the port refuses the certificate, which TLS 1.3 shows at the first reading.
func refused(address string, c *tls.Config) error {
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = conn.Read(make([]byte, 1))
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "remote error" {
		return nil
	}
	return fmt.Errorf("the certificate was not refused: %w", err)
}

// write sends the request. It may fail: the CPM need not read what it has declined.
func (p plea) write(conn io.Writer) {
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: localhost\r\n", p.method, p.path)
	for name, value := range p.header {
		fmt.Fprintf(&head, "%s: %s\r\n", name, value)
	}
	if p.chunked {
		head.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	} else {
		fmt.Fprintf(&head, "Content-Length: %d\r\n\r\n", len(p.body))
	}
	if _, err := conn.Write(head.Bytes()); err != nil || p.silent {
		return
	}
	switch {
	case p.slowly:
		for i := range p.body {
			if _, err := conn.Write(p.body[i : i+1]); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	case p.chunked:
		p.writeChunks(conn)
	default:
		_, _ = conn.Write(p.body)
	}
}

func (p plea) writeChunks(conn io.Writer) {
	const size = 64 << 10
	for rest := p.body; len(rest) > 0; {
		n := min(size, len(rest))
		if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", n, rest[:n]); err != nil {
			return
		}
		rest = rest[n:]
	}
	_, _ = io.WriteString(conn, "0\r\n\r\n")
}

// oneMore asks for the OpenAPI document on the same connection, which shows that the answers are still in step.
func oneMore(conn io.Writer, in *bufio.Reader) (*reply, error) {
	if _, err := io.WriteString(conn, "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return nil, err
	}
	r, _, err := readReply(in)
	return &r, err
}

// nothing is nil when the connection ends here.
func nothing(in *bufio.Reader) error {
	if b, err := in.ReadByte(); err == nil {
		return fmt.Errorf("there is more than one answer, it begins with %q", b)
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("the connection does not end well: %w", err)
	}
	return nil
}

// overHTTP2 is c for the gRPC port.
func overHTTP2(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.NextProtos = []string{"h2"}
	return c
}
