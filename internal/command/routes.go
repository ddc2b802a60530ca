package command

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// changeTimeout bounds one change, the generation of an RSA key included.
const changeTimeout = time.Minute

type route struct {
	pattern string
	answer  answer
}

func (d *Door) routes() []route {
	return []route{
		{"POST /v1/changes", d.change},
		{"POST /v1/refresh", d.refresh},
		{"POST /v1/shutdown", d.shutdown},
		{"GET /v1/status", d.status},
		{"GET /v1/adapters", d.adapters},
		{"GET /v1/fsps", d.fsps},
		{"GET /v1/keys", d.keys},
		{"GET /v1/key-uses", d.keyUses},
		{"GET /v1/routes", d.rules},
		{"GET /v1/grants", d.grants},
		{"GET /v1/operators", d.operators},
		{"GET /v1/route-trial", d.trial},
		{"/", func(*call) (any, error) {
			return nil, fault.New(fault.NotFound, "this door has no such path, or not this method")
		}},
	}
}

func (d *Door) status(c *call) (any, error) {
	if _, err := query(c); err != nil {
		return nil, err
	}
	return statusView(d.core.Survey(c.Context()), d.about), nil
}

func (d *Door) adapters(c *call) (any, error) {
	_, err := query(c)
	return Adapters{d.core.Adapters()}, err
}

func (d *Door) fsps(c *call) (any, error) {
	_, err := query(c)
	return FSPs{d.core.FSPs()}, err
}

func (d *Door) keys(c *call) (any, error) {
	q, err := query(c, "fsp", "name", "history")
	if err != nil {
		return nil, err
	}
	if h := q["history"]; h != "" && h != "true" && h != "false" {
		return nil, fault.New(fault.Invalid, "history is true or false")
	}
	return Keys{inOrder(d.core.Keys(cpm.FSP(q["fsp"]), q["name"], q["history"] == "true"))}, nil
}

func (d *Door) keyUses(c *call) (any, error) {
	q, err := query(c, "fsp", "name")
	if err != nil {
		return nil, err
	}
	if q["fsp"] == "" || q["name"] == "" {
		return nil, fault.New(fault.Missing, "give fsp and name")
	}
	uses, err := d.core.Uses(c.Context(), cpm.FSP(q["fsp"]), q["name"])
	return KeyUses{uses}, err
}

func (d *Door) rules(c *call) (any, error) {
	_, err := query(c)
	return Routes{d.core.Routes()}, err
}

func (d *Door) grants(c *call) (any, error) {
	_, err := query(c)
	return Grants{grantViews(d.core.Grants())}, err
}

func (d *Door) operators(c *call) (any, error) {
	_, err := query(c)
	return d.core.Operators(), err
}

func (d *Door) trial(c *call) (any, error) {
	q, err := query(c, "fsp", "operation")
	if err != nil {
		return nil, err
	}
	if q["fsp"] == "" || q["operation"] == "" {
		return nil, fault.New(fault.Missing, "give fsp and operation")
	}
	return d.core.Try(cpm.FSP(q["fsp"]), cpm.Operation(q["operation"])), nil
}

// query takes the query apart: each parameter once, and no other.
func query(c *call, names ...string) (map[string]string, error) {
	values := map[string]string{}
	for name, all := range c.URL.Query() {
		if !slices.Contains(names, name) || len(all) != 1 {
			return nil, fault.New(fault.Invalid, "the query may have each of these once, and nothing else: %v", names)
		}
		values[name] = all[0]
	}
	return values, nil
}

// change reads a change and has the core make it. A caller that goes away does not stop a change that has begun.
func (d *Door) change(c *call) (any, error) {
	body, err := readBody(c.Request, maxDocument)
	defer clear(body)
	if err != nil {
		return nil, err
	}
	change, err := decodeChange(body)
	if err != nil {
		return nil, err
	}
	if change.RequestID == "" {
		change.RequestID = c.id
	}
	c.id = change.RequestID
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), changeTimeout)
	defer cancel()
	receipt, err := d.core.Apply(ctx, c.caller, change)
	if err != nil {
		return nil, err
	}
	return receiptView(receipt)
}

// Bounds of a change's body. Only a whole configuration may be long.
const (
	maxChange   = 1 << 20
	maxDocument = 8 << 20
)

// readBody reads the body into one buffer of the announced size, so that a secret in it has no second copy here that
// could not be cleared.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	switch n := r.ContentLength; {
	case n < 0:
		return nil, fault.New(fault.Invalid, "the body is sent with Content-Length")
	case n > limit:
		return nil, fault.New(fault.TooLarge, "the body has at most %d bytes", limit)
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return body, fault.New(fault.Invalid, "the body ended early").Because(err)
	}
	return body, nil
}

// fits refuses a long body for any action but the one that has reason to be long.
func fits(change core.Change, size int) error {
	if size > maxChange && change.Action != "config.apply" {
		return fault.New(fault.TooLarge, "a change other than config.apply has at most %d bytes", maxChange)
	}
	return nil
}
