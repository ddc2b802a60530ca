package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpmtest"
)

// load is many callers at once who have quotes signed until they are declined, and the book that is kept of it: for each
// request exactly one of answered, declined, refused and lost.
type load struct {
	*process
	t   *testing.T
	tls *tls.Config

	// ending is set before the process is told to end.
	ending atomic.Bool
	// open is when the port was last seen open once ending is set, in nanoseconds since 1970.
	open atomic.Int64

	sent, answered, late, declined, refused atomic.Int64
	// redialled counts connections that were closed before their first answer while nothing was to end.
	redialled atomic.Int64

	mu   sync.Mutex
	lost []string

	callers sync.WaitGroup
}

// begin starts n callers, half of them with JSON, half with a gRPC stream each.
func begin(t *testing.T, p *process, n int) *load {
	t.Helper()
	l := &load{process: p, t: t, tls: p.TLS(cpmtest.Client)}
	for i := range n {
		switch i % 4 {
		case 0:
			l.callers.Go(func() { l.callJSON(false) })
		case 1:
			l.callers.Go(func() { l.callJSON(true) })
		default:
			l.callers.Go(l.callStream)
		}
	}
	return l
}

// terminateUnderLoad tells the process to end once every caller had some answers, and watches the port.
func (l *load) terminateUnderLoad(answers int64) {
	l.t.Helper()
	eventually(l.t, "the load is under way", func() error {
		if n := l.answered.Load(); n < answers {
			return fmt.Errorf("%d answers", n)
		}
		return nil
	})
	l.ending.Store(true)
	l.open.Store(time.Now().UnixNano())
	l.callers.Go(l.watch)
	l.terminate()
}

// watch looks when the JSON port closes.
func (l *load) watch() {
	for {
		now := time.Now()
		c, err := net.Dial("tcp", l.At.HTTP)
		if err != nil {
			return
		}
		l.open.Store(now.UnixNano())
		_ = c.Close()
		time.Sleep(5 * time.Millisecond)
	}
}

// lose notes a request without an answer.
func (l *load) lose(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, fmt.Sprintf(format, args...))
}

// good notes an answer.
func (l *load) good() {
	l.answered.Add(1)
	if l.ending.Load() {
		l.late.Add(1)
	}
}

// decline notes a decline, which has to be a clear one and comes only from a CPM that is ending.
func (l *load) decline(kind string) {
	if kind != "unavailable" || !l.ending.Load() {
		l.lose("declined as %q", kind)
		return
	}
	l.declined.Add(1)
}

// settle waits for the callers and closes the book.
func (l *load) settle() {
	l.t.Helper()
	l.callers.Wait()
	sum := l.answered.Load() + l.declined.Load() + l.refused.Load() + int64(len(l.lost))
	if l.sent.Load() != sum {
		l.t.Errorf("%d requests were sent, the book has %d", l.sent.Load(), sum)
	}
	for i, what := range l.lost {
		if i == 10 {
			l.t.Errorf("and %d more", len(l.lost)-i)
			break
		}
		l.t.Errorf("lost: %s", what)
	}
	// The log has a line for each connection that did not come about; the watcher makes some of its own.
	closed := len(l.logged("connection refused"))
	if n := int(l.redialled.Load()); n > closed {
		l.t.Errorf("%d connections were closed without a reason, the log has %d", n, closed)
	}
	if l.t.Failed() {
		l.t.Logf("the log ends with\n%s", l.log.tail())
	}
}
