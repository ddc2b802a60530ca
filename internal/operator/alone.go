package operator

import (
	"context"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// noCore declines what only a core can do.
func noCore() *fault.Error {
	return fault.New(fault.Unavailable, "no CPM is connected to this adapter; only Status and Startup are possible")
}

// alone does what the adapter can do while no core can be asked: say so, and start one.
func (x *exchange) alone(state cpm.State) (*Answer, error) {
	switch x.request.Command {
	case cpm.CommandStatus:
		if err := x.permit(); err != nil {
			return nil, err
		}
		return x.ownStatus(state)
	case cpm.CommandStartup:
		if err := x.permit(); err != nil {
			return nil, err
		}
		return x.startup()
	}
	return nil, noCore()
}

// ownStatus is what can be told without a core: nothing of the CPM, and everything of this adapter.
func (x *exchange) ownStatus(state cpm.State) (*Answer, error) {
	document, err := encode(ownStatus{
		Adapter: x.config.Name, State: string(state), Version: x.config.Version, Since: x.since.UTC(), Cores: x.cores(),
		Commands: x.commandCounts(),
	})
	if err != nil {
		return nil, err
	}
	a := &Answer{
		Result: Success, Reason: "no CPM is connected to this adapter; this is what it knows itself", Status: document,
		Adapters: []AdapterState{{Name: "cpm", Status: unknown, State: unknown}},
	}
	if x.request.Adapter == "" || x.request.Adapter == x.config.Name {
		a.Adapters = append(a.Adapters, AdapterState{Name: x.config.Name, Status: word(state), State: string(state)})
	}
	return a, nil
}

// ownStatus is the status document of the adapter alone.
type ownStatus struct {
	Adapter  string         `json:"adapter"`
	State    string         `json:"state"`
	Version  string         `json:"version"`
	Since    time.Time      `json:"since"`
	Cores    []coreStatus   `json:"cores"`
	Commands []commandCount `json:"commands"`
}

// coreStatus is a core as the adapter sees it.
type coreStatus struct {
	Address   string `json:"address"`
	Connected bool   `json:"connected"`
}

// commandCount counts one command; what was no valid command has no name.
type commandCount struct {
	Command string `json:"command"`
	Success uint64 `json:"success"`
	Failed  uint64 `json:"failed"`
	Invalid uint64 `json:"invalid"`
}

func (d *Door) cores() []coreStatus {
	d.mu.Lock()
	links := d.links
	d.mu.Unlock()
	all := []coreStatus{}
	for _, l := range links {
		_, up := l.up()
		all = append(all, coreStatus{l.address, up})
	}
	return all
}

func (d *Door) commandCounts() []commandCount {
	counted := d.counts.all()
	all := []commandCount{}
	for _, name := range append(cpm.Commands(), "") {
		o := counted[string(name)]
		all = append(all, commandCount{string(name), o.Success, o.Failed, o.Invalid})
	}
	return all
}

// startup starts the CPM of this machine, waits until it takes commands, and has it carry out the Startup, so that it
// authenticates, counts and records it like any other (specification, "Command Adapter", Overview 2).
func (x *exchange) startup() (*Answer, error) {
	switch {
	case x.request.Adapter != "":
		return nil, fault.New(fault.State, "the CPM is not running; start it with Startup without an adapter")
	case x.config.Starter == nil:
		return nil, fault.New(fault.Unsupported, "this adapter cannot start a CPM: its own configuration names no server configuration")
	case !x.launching.TryLock():
		return nil, fault.New(fault.Conflict, "the CPM is being started already").After(5 * time.Second)
	}
	defer x.launching.Unlock()
	ctx, cancel := context.WithTimeout(x.context(), x.limits.Startup)
	defer cancel()
	if x.config.Starter.Running(ctx) {
		return nil, fault.New(fault.State, "a CPM is running, but it does not take this adapter; is the adapter stopped or unknown there?")
	}
	x.log.LogAttrs(x.context(), obs.LevelAudit, "the adapter starts the CPM", x.attrs("cpm.start-requested")...)
	ended, err := x.config.Starter.Start(ctx)
	if err != nil {
		return nil, fault.New(fault.State, "the CPM could not be started; see the log of the adapter").Because(err)
	}
	return x.awaitStart(ctx, ended)
}

// lookEvery is how often a CPM that is starting is looked at.
const lookEvery = 50 * time.Millisecond

func (x *exchange) awaitStart(ctx context.Context, ended <-chan error) (*Answer, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return nil, fault.New(fault.State, "the CPM ended while it was starting; see its log").Because(err)
		case <-x.ending:
			return nil, fault.New(fault.Unavailable, "the adapter is shutting down; the CPM goes on starting")
		case <-ctx.Done():
			return nil, fault.New(fault.Timeout, "the CPM was started and is not Active yet; look again with Status").Because(ctx.Err())
		case <-tick.C:
		}
		answer, done := x.started()
		if done {
			return answer, nil
		}
	}
}

// started forwards the Startup to the CPM that was started; it is not done while that does not take commands yet.
func (x *exchange) started() (*Answer, bool) {
	in, _ := x.accept()
	if in == nil {
		return nil, false
	}
	defer in.release()
	var up []*Link
	for _, l := range in.links {
		if _, ok := l.up(); ok {
			up = append(up, l)
		}
	}
	if len(up) == 0 {
		return nil, false
	}
	answer, err := x.forward(up)
	switch kind := fault.From(err); {
	case err == nil:
		x.log.LogAttrs(x.context(), obs.LevelAudit, "the CPM was started by command", x.attrs("cpm.started-by-command")...)
		return answer, true
	case kind.Kind == fault.Unavailable || kind.Kind == fault.Sealed:
		return nil, false
	default:
		// The CPM is there; what it does not let this caller do further is said, not undone.
		x.log.LogAttrs(x.context(), obs.LevelAudit, "the CPM was started by command", x.attrs("cpm.started-by-command", obs.Err(err))...)
		return &Answer{Result: Success, Reason: "the CPM was started; it declined the command itself: " + kind.Public, Adapters: []AdapterState{}}, true
	}
}
