package bench

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/sdk/go/client"
)

// clients are applications that use the Go client and try each request once.
type clients struct {
	t   *testing.T
	all []*client.Client
}

func newClients(t *testing.T, p *process, n int) *clients {
	t.Helper()
	s := &clients{t: t}
	pki := filepath.Join(p.dir, "pki")
	for range n {
		c, err := client.New(client.Config{
			Addresses: []string{p.grpc}, ServerName: "localhost", Streams: 1, Attempts: 1,
			Files: client.Files{
				Cert: filepath.Join(pki, "client.pem"), Key: filepath.Join(pki, "client.key"), CA: filepath.Join(pki, "ca.pem"),
			},
		})
		must(t, err)
		must(t, c.Ready(t.Context()))
		t.Cleanup(func() { _ = c.Close(t.Context()) })
		s.all = append(s.all, c)
	}
	return s
}

// run makes rate calls a second for some time, each from a goroutine of its own, and waits until all have returned.
func (s *clients) run(request *cpmv1.ProcessRequest, rate int, d time.Duration) []*arrival {
	var done sync.WaitGroup
	all := onSchedule(request, rate, d, &done, func(i int, a *arrival) {
		go func() {
			defer done.Done()
			_, err := s.all[i%len(s.all)].Do(s.t.Context(), request)
			a.end, a.verdict = time.Now(), judged(err)
		}()
	})
	done.Wait()
	return all
}

// judged tells what a CPM has declined from what the client has, which then has no code of the CPM's.
func judged(err error) verdict {
	var e *client.Error
	switch {
	case err == nil:
		return good
	case !errors.As(err, &e) || e.Kind != client.Busy:
		return failed
	case e.Code == "":
		return spared
	default:
		return busy
	}
}
