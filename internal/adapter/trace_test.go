package adapter

import (
	"context"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

func TestARequestKeepsItsTraceOnTheLink(t *testing.T) {
	t.Parallel()
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	seen := make(chan cpm.TraceParent, 1)
	c, _ := join(t, serverOf(module{do: func(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
		seen <- r.Trace
		return echo(ctx, r)
	}}, nil))
	defer c.Close()
	r := request("traced")
	r.Trace = trace
	if _, err := c.Do(within(t, 20*time.Second), r); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != trace {
		t.Errorf("the module has %q", got)
	}
}
