package api

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// frank is a caller who writes the frames of HTTP/2 itself, and so can announce a message and send part of it.
type frank struct {
	t     *testing.T
	f     *http2.Framer
	heads *hpack.Encoder
	block bytes.Buffer
	last  uint32
	// ends has the grpc-status of each call that ended, by its stream.
	ends chan end
	// hearing is held while nothing is read.
	hearing sync.Mutex
}

type end struct {
	stream                   uint32
	status, pushed, answered string
	answers                  []byte // that came before
}

// frank connects as the owner of a certificate.
func (h *house) frank(t *testing.T, name string) *frank {
	t.Helper()
	c := h.with(h.ca.client(t, name))
	c.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", h.grpc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	k := &frank{t: t, f: http2.NewFramer(conn, conn), ends: make(chan end, 1000), last: ^uint32(0)}
	k.heads = hpack.NewEncoder(&k.block)
	k.f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	k.must(k.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	k.must(k.f.WriteWindowUpdate(0, 1<<30))
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		k.listen()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-heard
	})
	return k
}

func (k *frank) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *frank) listen() {
	defer close(k.ends)
	answers := map[uint32][]byte{}
	for {
		k.mayHear()
		f, err := k.f.ReadFrame()
		if err != nil {
			return
		}
		if d, ok := f.(*http2.DataFrame); ok {
			answers[d.StreamID] = append(answers[d.StreamID], d.Data()...)
		}
		if m, ok := f.(*http2.MetaHeadersFrame); ok && m.StreamEnded() {
			e := end{stream: m.StreamID, answers: answers[m.StreamID]}
			for _, h := range m.Fields {
				switch h.Name {
				case "grpc-status":
					e.status = h.Value
				case "grpc-retry-pushback-ms":
					e.pushed = h.Value
				case "cpm-answered":
					e.answered = h.Value
				}
			}
			k.ends <- e
		}
	}
}

// deaf has the caller read nothing any more, not even from the network.
func (k *frank) deaf() {
	k.hearing.Lock()
	k.t.Cleanup(k.hearing.Unlock)
}

func (k *frank) mayHear() {
	k.hearing.Lock()
	defer k.hearing.Unlock()
}

// call opens a call, with more headers than those of all.
func (k *frank) call(method string, more ...[2]string) uint32 {
	k.last += 2
	k.block.Reset()
	for _, h := range append([][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", method}, {":authority", "x"}, {"content-type", "application/grpc"}, {"te", "trailers"},
	}, more...) {
		k.must(k.heads.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}))
	}
	k.must(k.f.WriteHeaders(http2.HeadersFrameParam{StreamID: k.last, BlockFragment: k.block.Bytes(), EndHeaders: true}))
	return k.last
}

// announced is the beginning of a message of n bytes.
func announced(n int, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(n)), message...)
}

// begin opens a call, announces a message of n bytes and sends the first few.
func (k *frank) begin(method string, n int) uint32 {
	id := k.call(method)
	k.must(k.f.WriteData(id, false, announced(n, make([]byte, 100))))
	return id
}

// hears waits for the ends of so many calls and gives how many there were of each status.
func (k *frank) hears(n int) map[string]int {
	k.t.Helper()
	all := map[string]int{}
	for range n {
		select {
		case e, open := <-k.ends:
			if !open {
				k.t.Fatal("the connection was closed")
			}
			all[e.status]++
		case <-time.After(20 * time.Second):
			k.t.Fatalf("ended: %v", all)
		}
	}
	return all
}

const (
	methodStream  = cpmv1.CryptographicService_Stream_FullMethodName
	methodProcess = cpmv1.CryptographicService_Process_FullMethodName
	methodBatch   = cpmv1.CryptographicService_Batch_FullMethodName
)

// The codes of gRPC that the tests meet.
const (
	okay, invalidArgument, deadlineExceeded, resourceExhausted = "0", "3", "4", "8"
)
