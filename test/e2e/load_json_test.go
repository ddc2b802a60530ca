package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"time"
)

// jsonCaller is one connection of the JSON port.
type jsonCaller struct {
	*load
	conn *tls.Conn
	in   *bufio.Reader
	// fresh says that there was no answer on the connection yet, renewed that it was opened after the process was told to
	// end.
	fresh, renewed bool
	// stubborn goes on after a decline, until nobody is there any more.
	stubborn bool
}

// callJSON asks over a kept connection, and opens another one when it was told to, until it is declined or refused.
func (l *load) callJSON(stubborn bool) {
	c := &jsonCaller{load: l, stubborn: stubborn}
	defer c.hangUp()
	for c.ask() {
	}
}

// ask makes one request and says whether to go on.
func (c *jsonCaller) ask() (more bool) {
	began := time.Now()
	c.sent.Add(1)
	got, kept, err := c.exchange()
	if err != nil {
		return c.broken(began, err)
	}
	c.fresh = false
	if !kept {
		c.hangUp()
	}
	if got.status == http.StatusOK {
		_, err = readResult("sign", got.body)
		if err != nil {
			c.lose("JSON: %v", err)
			return false
		}
		c.good()
		return true
	}
	a, err := readDecline(got.body)
	if err != nil {
		c.lose("JSON: %v", err)
		return false
	}
	c.decline(a.kind)
	return c.stubborn
}

func (c *jsonCaller) dial() (err error) {
	c.fresh, c.renewed = true, c.ending.Load()
	conn, err := tls.Dial("tcp", c.At.HTTP, c.tls)
	if err != nil {
		return err
	}
	c.conn, c.in = conn, bufio.NewReader(conn)
	return c.conn.SetDeadline(time.Now().Add(patience))
}

func (c *jsonCaller) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *jsonCaller) exchange() (got reply, kept bool, err error) {
	p := plea{method: "POST", path: "/v1/fsps/payerfsp/jws/sign", header: map[string]string{"Content-Type": "application/json"}}
	if p.body, err = json.Marshal(quote("payerfsp", "", int(c.sent.Load()))); err != nil {
		return got, false, err
	}
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return got, false, err
		}
	}
	var text bytes.Buffer
	p.write(&text)
	if _, err := c.conn.Write(text.Bytes()); err != nil {
		return got, false, err
	}
	return readReply(c.in)
}

// broken judges a request without an answer and says whether to go on. Nobody took it on if the port was closed by then:
// on a connection that was there before, the request has to have begun after that; one that was opened anew may have been
// caught by it. A handshake that a busy machine did not get done in time is tried again.
func (c *jsonCaller) broken(began time.Time, err error) (again bool) {
	defer c.hangUp()
	if !c.ending.Load() && c.fresh {
		c.sent.Add(-1)
		c.redialled.Add(1)
		return true
	}
	at := began
	if c.renewed {
		at = time.Now()
	}
	if c.ending.Load() && at.UnixNano() >= c.open.Load() {
		c.refused.Add(1)
		return false
	}
	c.lose("JSON, %t that it was to end: %v", c.ending.Load(), err)
	return false
}
