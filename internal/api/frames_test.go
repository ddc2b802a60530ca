package api

import (
	"bytes"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
)

func TestAConnectionThatGoesOnSendingToEndedCallsIsClosed(t *testing.T) {
	t.Parallel()
	d := New(Config{Processor: processor(echo)})
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	conn, info, err := shaken{d, t.Context()}.ServerHandshake(near)
	if err != nil || info == nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, far) }()
	var sent bytes.Buffer
	f := http2.NewFramer(&sent, nil)
	piece := make([]byte, 16<<10)
	send := func(n int) (err error) {
		for range n {
			sent.Reset()
			_ = f.WriteData(7, false, piece)
			go func(b []byte) { _, _ = far.Write(b) }(bytes.Clone(sent.Bytes()))
			if _, err = io.ReadFull(conn, make([]byte, sent.Len())); err != nil {
				return err
			}
		}
		return nil
	}
	go func() { _, _ = io.WriteString(far, http2.ClientPreface) }()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		t.Fatal(err)
	}
	for range 10 { // as long as it is told
		if err := send(mostStray / len(piece)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("you were told")); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(mostStray/len(piece) + 1); err == nil {
		t.Error("it goes on")
	}
}
