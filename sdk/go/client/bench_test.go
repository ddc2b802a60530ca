package client_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net/http"
	"testing"

	"github.com/mojaloop/cpm/internal/cpmtest"
)

// BenchmarkSign compares, in one run on one machine with client and CPM in one process: the bare primitive, a signature through
// this client, and one through HTTPS JSON with kept connections. 64 callers for each processor.
func BenchmarkSign(b *testing.B) {
	h := open(b, signingKey)
	b.Run("primitive", benchmarkPrimitive)
	b.Run("client", func(b *testing.B) {
		c := h.client()
		fatal(b, c.Ready(b.Context()))
		request := signing()
		inParallel(b, func() error {
			_, err := c.Do(b.Context(), request)
			return err
		})
	})
	b.Run("json", func(b *testing.B) {
		// A connection for each caller is kept: making them anew would be what is measured.
		transport := &http.Transport{TLSClientConfig: h.TLS(cpmtest.Client), MaxIdleConnsPerHost: 1000}
		b.Cleanup(transport.CloseIdleConnections)
		k := &http.Client{Transport: transport}
		const body = `{"method":"POST","uri":"/quotes","headers":{"fspiop-source":"payerfsp","fspiop-destination":"payeefsp",` +
			`"date":"Tue, 23 May 2017 21:12:31 GMT"},"body":"{\"amount\":\"1\"}"}`
		inParallel(b, func() error { return post(b, k, h.URL("/v1/fsps/payerfsp/jws/sign"), body) })
	})
}

func benchmarkPrimitive(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(b, err)
	digest := sha256.Sum256([]byte("what is signed does not matter"))
	inParallel(b, func() error {
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err
	})
}

func inParallel(b *testing.B, do func() error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := do(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func post(b *testing.B, k *http.Client, url, body string) error {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := k.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		b.Error(answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
