package server

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestDevShowsTheMainJob(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, log buffer
	ended := make(chan error, 1)
	go func() {
		ended <- Dev(ctx, DevOptions{DataDir: t.TempDir(), PortBase: 17800, Version: "test", Out: &out, Log: &log})
	}()
	for !strings.Contains(out.String(), "Ctrl-C") {
		select {
		case err := <-ended:
			t.Fatalf("ended: %v\n%s\n%s", err, out.String(), log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	t.Log(out.String())
	t.Log(log.String())
	for _, want := range []string{`"valid":true`, `"reason":"signature-mismatch"`, `curl -s http://127.0.0.1:17800/`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tour lacks %s", want)
		}
	}
}
