package command

import (
	"context"
	"net/http"

	"github.com/mojaloop/cpm/internal/cpm"
)

// Ending is the answer of /v1/shutdown.
type Ending struct {
	State cpm.State `json:"state"`
}

// shutdown ends the CPM. The answer goes out first: the socket is drained like every other door.
func (d *Door) shutdown(c *call) (any, error) {
	if _, err := query(c); err != nil {
		return nil, err
	}
	if _, err := readBody(c.Request, 0); err != nil {
		return nil, err
	}
	if err := d.core.Halt(context.WithoutCancel(c.Context()), c.caller, c.id); err != nil {
		return nil, err
	}
	return Ending{cpm.ShuttingDown}, nil
}

// Shutdown has the CPM answer what it has accepted, and end.
func (c *Client) Shutdown(ctx context.Context) (Ending, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cpm/v1/shutdown", http.NoBody)
	if err != nil {
		return Ending{}, err
	}
	return do[Ending](c, r)
}
