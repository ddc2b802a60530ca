package core

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// The results of a command.
const (
	resultSuccess = "success"
	resultFailed  = "failed"
)

// order is one command on its way: what was found out about it so far.
type order struct {
	id, through string
	ask         *cpmv1.CommandAsk
	// name is the command if it is one, target the adapter it is about if there is one: a caller's own words are kept out of
	// logs, counters and answers.
	name   cpm.CommandName
	target string
	user   *access.User
}

func (o *order) principal() cpm.Principal {
	return cpm.Principal{Kind: cpm.PrincipalUser, Name: o.user.Name, Address: o.ask.GetCredential().GetAddress()}
}

// commandTimeout bounds one command. It goes on when its caller has gone.
const commandTimeout = time.Minute

// Command does one command of the specification ("Commands", 1 to 5) that came through a Command adapter: who is it, from
// where, may they, then the command itself. A command that was done, or tried, has a reply with its result; one that was
// not accepted is an error. Each is counted and logged once.
//
// Errors: fault.Unavailable (the CPM is shutting down), fault.Denied (whitelist, group), fault.Unauthenticated,
// fault.Invalid (no command, or not with this adapter).
func (c *Core) Command(ctx context.Context, adapterName, requestID string, ask *cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	o := &order{id: requestID, through: adapterName, ask: ask}
	reply, err := c.command(ctx, o)
	c.concluded(ctx, o, reply, err)
	if err != nil {
		return nil, fault.From(err)
	}
	return reply, nil
}

func (c *Core) command(ctx context.Context, o *order) (*cpmv1.CommandReply, error) {
	s := c.snapshot.Load()
	if name := cpm.CommandName(o.ask.GetCommand()); slices.Contains(cpm.Commands(), name) {
		o.name = name
	}
	if _, known := s.Routes.Adapter(o.ask.GetAdapter()); known {
		o.target = o.ask.GetAdapter()
	}
	if c.ending() {
		return nil, fault.New(fault.Unavailable, "the CPM is shutting down; no commands are accepted")
	}
	if err := c.authorise(s, o); err != nil {
		return nil, err
	}
	reply, err := c.execute(ctx, o)
	if err != nil {
		return nil, err
	}
	reply.Replica = c.replica()
	return reply, nil
}

// authorise finds the user and asks whether they may: the address first, so that nobody elsewhere can try credentials.
func (c *Core) authorise(s *Snapshot, o *order) error {
	k := o.ask.GetCredential()
	user, unknown := s.Rules.Authenticate(access.Credential{
		Certificates: k.GetCertificateNames(), Token: k.GetToken(), Address: k.GetAddress(),
	}, c.config.Now())
	o.user = user
	if err := s.Rules.Admit(o.through, k.GetAddress()); err != nil {
		return err
	}
	if unknown != nil {
		return unknown
	}
	if o.name == "" {
		return fault.New(fault.Invalid, "the command is none of %v", cpm.Commands())
	}
	return s.Rules.AllowCommand(user, o.name)
}

// execute does the command. What an operator can mend is a reply that says so.
func (c *Core) execute(ctx context.Context, o *order) (*cpmv1.CommandReply, error) {
	switch named := o.ask.GetAdapter() != ""; o.name {
	case cpm.CommandShutdown:
		if !named {
			return c.shutdownSystem(ctx, o)
		}
		return c.about(o, func() error { return c.shutdownAdapter(ctx, o) }), nil
	case cpm.CommandStartup:
		if !named {
			return c.startupAll(ctx, o), nil
		}
		return c.about(o, func() error { return c.startupAdapters(ctx, o, o.target) }), nil
	case cpm.CommandRefreshConfig:
		return c.about(o, func() error { return c.refreshConfig(ctx, o) }), nil
	case cpm.CommandRefreshKeys:
		if named {
			return nil, fault.New(fault.Invalid, "RefreshKeys is about all keys and names no adapter")
		}
		return c.about(o, func() error {
			_, err := c.Refresh(ctx, o.principal(), RefreshOrder{What: RefreshKeys, RequestID: o.id})
			return err
		}), nil
	default:
		return c.report(ctx, o)
	}
}

// about does what a command wants of the adapter it names, or of all, and replies with the result and their states.
func (c *Core) about(o *order, do func() error) *cpmv1.CommandReply {
	var err error = fault.New(fault.NotFound, "the adapter is not known; see what there is with Status")
	if o.ask.GetAdapter() == o.target {
		err = do()
	}
	return c.reply(o, err)
}

// reply tells the result, and the state of the adapter the command was about or of all.
func (c *Core) reply(o *order, err error) *cpmv1.CommandReply {
	r := &cpmv1.CommandReply{Result: resultSuccess}
	if e := fault.From(err); e != nil {
		r.Result, r.Reason = resultFailed, e.Public
	}
	if o.ask.GetAdapter() == o.target {
		r.Adapters = states(c.Status(), o.target)
	}
	return r
}

// states lists the CPM and its adapters, or just the adapter that is named.
func states(v StatusView, only string) []*cpmv1.AdapterState {
	var all []*cpmv1.AdapterState
	if only == "" {
		all = append(all, &cpmv1.AdapterState{Name: v.Name, Status: v.Status, State: string(v.State)})
	}
	for _, a := range v.Adapters {
		if only == "" || a.Name == only {
			all = append(all, &cpmv1.AdapterState{Name: a.Name, Status: a.Status, State: string(a.State)})
		}
	}
	return all
}

// report is the command Status (specification, 5): the state in the reply, and the whole of it as a document.
func (c *Core) report(ctx context.Context, o *order) (*cpmv1.CommandReply, error) {
	if o.ask.GetAdapter() != o.target {
		return c.about(o, nil), nil
	}
	view := c.Survey(ctx)
	text, err := json.Marshal(view)
	if err != nil {
		return nil, err
	}
	return &cpmv1.CommandReply{Result: resultSuccess, Adapters: states(view, o.target), Status: text}, nil
}

func (c *Core) replica() string {
	if c.config.Replica != nil {
		return c.config.Replica()
	}
	return c.snapshot.Load().Settings.CommonName
}

// concluded counts and logs a command (specification, 6). What is no command is counted as invalid, without its words.
func (c *Core) concluded(ctx context.Context, o *order, r *cpmv1.CommandReply, err error) {
	attrs := []slog.Attr{
		obs.RequestID(o.id), slog.String("command", string(o.name)), obs.Adapter(o.target), slog.String("through", o.through),
		slog.String("actor", o.actor()), slog.String("address", addressOf(o.ask.GetCredential().GetAddress())),
	}
	switch {
	case err != nil && o.name == "":
		c.commands.add("", invalid)
		c.log.LogAttrs(ctx, slog.LevelWarn, "an invalid command was declined", append(attrs, obs.Event("command.invalid"), obs.Err(err))...)
	case err != nil:
		c.commands.add(o.name, failed)
		c.log.LogAttrs(ctx, slog.LevelWarn, "a command was declined", append(attrs, obs.Event("command.declined"), obs.Err(err))...)
	case r.GetResult() != resultSuccess:
		c.commands.add(o.name, failed)
		c.log.LogAttrs(ctx, slog.LevelWarn, "a command failed", append(attrs, obs.Event("command.failed"), slog.String("reason", r.GetReason()))...)
	default:
		c.commands.add(o.name, succeeded)
		c.log.LogAttrs(ctx, obs.LevelAudit, "a command was done", append(attrs, obs.Event("command.done"))...)
	}
}

// actor is who sent the command, if that is known.
func (o *order) actor() string {
	if o.user == nil {
		return ""
	}
	return o.principal().String()
}
