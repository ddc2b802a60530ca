package bench

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const httpSign = `{"method":"POST","uri":"/quotes","headers":{"fspiop-source":"payerfsp","fspiop-destination":"Hub",` +
	`"date":"Tue, 23 May 2017 21:12:31 GMT"},"body":"{\"quoteId\":7}","key":{"name":"jws"}}`

// crowd are callers over HTTPS JSON, each with a connection of its own, who ask again as soon as they are answered.
type crowd struct {
	t      *testing.T
	url    string
	client *http.Client
}

func newCrowd(t *testing.T, p *process, callers int) *crowd {
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: p.tls, MaxIdleConnsPerHost: callers, MaxConnsPerHost: callers}}
	t.Cleanup(c.CloseIdleConnections)
	return &crowd{t, "https://" + p.json + "/v1/fsps/payerfsp/jws/sign", c}
}

// rates are those of good answers and of declines as busy, once all connections are there.
func (c *crowd) rates(callers int, d time.Duration) (goods, declines float64) {
	var answers [600]atomic.Int64
	var group sync.WaitGroup
	begin := time.Now().Add(3 * time.Second)
	for range callers {
		group.Go(func() {
			for time.Since(begin) < d {
				status := c.ask()
				if since := time.Since(begin); since > 0 && since < d {
					answers[status].Add(1)
				}
			}
		})
	}
	group.Wait()
	for status := range answers {
		if n := answers[status].Load(); n > 0 && status != http.StatusOK && status != http.StatusTooManyRequests {
			c.t.Errorf("%d answers with %d", n, status)
		}
	}
	rate := func(status int) float64 { return float64(answers[status].Load()) / d.Seconds() }
	return rate(http.StatusOK), rate(http.StatusTooManyRequests)
}

// ask asks once; 0 is no answer.
func (c *crowd) ask() int {
	a, err := c.client.Post(c.url, "application/json", strings.NewReader(httpSign))
	if err != nil {
		return 0
	}
	defer func() { _ = a.Body.Close() }()
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		return 0
	}
	return a.StatusCode
}

// httpStorm is a storm over HTTPS JSON.
func (m *measurement) httpStorm() {
	const times, few, many = 3, 32, 1000
	c := newCrowd(m.t, m.p, many)
	var peak, good, busy float64
	for range times {
		p, _ := c.rates(few, 4*time.Second)
		g, b := c.rates(many, 6*time.Second)
		peak, good, busy = peak+p/times, good+g/times, busy+b/times
		time.Sleep(500 * time.Millisecond)
	}
	m.say("\n# %d callers of RSA-2048 over HTTPS JSON who ask again at once, a connection each\nin turns, %d times: %d of them %.0f/s, all %.0f/s, %.0f %%, and %.0f/s busy",
		many, times, few, peak, good, 100*good/peak, busy)
}
