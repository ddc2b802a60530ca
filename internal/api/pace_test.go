package api

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
)

func TestAConnectionIsReadOnTheBeatWhileItIsDeclined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pace{born: time.Now()}
		waited := func() time.Duration {
			began := time.Now()
			p.wait()
			return time.Since(began)
		}
		time.Sleep(300 * time.Microsecond)
		if d := waited(); d != 0 {
			t.Errorf("waited %v before anything was declined", d)
		}
		p.declined()
		for i, want := range []time.Duration{1700 * time.Microsecond, 2 * time.Millisecond, 2 * time.Millisecond} {
			if d := waited(); d != want {
				t.Errorf("reading %d waited %v, not %v", i, d, want)
			}
		}
		time.Sleep(busyFor)
		if d := waited(); d != 0 {
			t.Errorf("waited %v after the last decline was long ago", d)
		}
	})
}

// Only the connection that asks for too much is slow, whichever way it asks.
func TestOnlyTheConnectionThatIsDeclinedIsSlow(t *testing.T) {
	t.Parallel()
	busy := func(_ context.Context, r *cpm.Request) (*cpm.Result, error) {
		if r.FSP == "loud" {
			return nil, admission.Decline(admission.QueueWait, 0, "the adapter is busy")
		}
		return echo(t.Context(), r)
	}
	for name, ask := range map[string]func(*testing.T, cpmv1.CryptographicServiceClient, string){
		"one at a time": func(t *testing.T, c cpmv1.CryptographicServiceClient, fsp string) {
			_, _ = c.Process(t.Context(), requestOf(fsp))
		},
		"a stream": func(t *testing.T, c cpmv1.CryptographicServiceClient, fsp string) {
			s, err := c.Stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Send(&cpmv1.StreamRequest{Id: 1, Request: requestOf(fsp)}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := New(Config{Processor: processor(busy)})
			socket, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			n, err := d.listen(t.Context(), GRPC, socket, nil, "h2")
			if err != nil {
				t.Fatal(err)
			}
			s := d.grpcServer(t.Context())
			go func() { _ = s.Serve(n) }()
			t.Cleanup(func() { s.Stop(); n.end() })
			slow := map[string]bool{}
			for _, fsp := range []string{"loud", "modest"} {
				c, err := grpc.NewClient(socket.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				ask(t, cpmv1.NewCryptographicServiceClient(c), fsp)
				n.open.Range(func(key, _ any) bool {
					if p, ok := key.(*place); ok && !slow[p.RemoteAddr().String()] && p.pace.slow.Load() > 0 {
						slow[p.RemoteAddr().String()] = true
					}
					return true
				})
			}
			if len(slow) != 1 {
				t.Errorf("%d of two connections are slow", len(slow))
			}
		})
	}
}

func requestOf(fsp string) *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: &cpmv1.JwsSignRequest{
		Method: "POST", Uri: "/quotes", Content: &cpmv1.JwsSignRequest_Body{Body: "{}"},
	}}}
}
