package operator

import (
	"context"
	"sync"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// perform forwards an accepted command to the cores, or does what the adapter can do alone.
func (x *exchange) perform(in *accepted, state cpm.State) (*Answer, error) {
	for _, l := range in.links {
		if _, up := l.up(); up {
			return x.forward(in.links)
		}
	}
	return x.alone(state)
}

// forward sends the command, in the form cores take it, to every core at once and makes one answer of theirs. If all of
// them decline, so does the adapter.
func (x *exchange) forward(links []*Link) (*Answer, error) {
	payload, err := proto.Marshal(&cpmv1.CommandAsk{
		Credential: x.credential.message(x.address), Command: string(x.request.Command), Adapter: x.request.Adapter,
	})
	if err != nil {
		return nil, err
	}
	x.log.LogAttrs(x.context(), obs.LevelAudit, "the command was forwarded", x.attrs("command.forwarded")...)
	ctx, cancel := context.WithTimeout(x.context(), x.limits.Command)
	defer cancel()
	replicas, declines := make([]Replica, len(links)), make([]error, len(links))
	var group sync.WaitGroup
	for i, l := range links {
		group.Go(func() { replicas[i], declines[i] = x.ask(ctx, l, payload) })
	}
	group.Wait()
	return combine(replicas, declines)
}

// combine turns the declines of some cores into failed answers.
func combine(replicas []Replica, declines []error) (*Answer, error) {
	var first error
	declined := 0
	for i, err := range declines {
		if err == nil {
			continue
		}
		declined++
		if first == nil || worse(err, first) {
			first = err
		}
		replicas[i].Result, replicas[i].Reason = Failed, fault.From(err).Public
	}
	if declined == len(replicas) {
		return nil, first
	}
	return merge(replicas), nil
}

// worse says whether a decline says more than another: a core that is away says least.
func worse(a, b error) bool {
	return fault.From(b).Kind == fault.Unavailable && fault.From(a).Kind != fault.Unavailable
}

// ask has one core carry out the command.
func (x *exchange) ask(ctx context.Context, l *Link, payload []byte) (Replica, error) {
	none := Replica{Replica: l.address, Adapters: []AdapterState{}}
	asker, up := l.up()
	if !up {
		return none, fault.New(fault.Unavailable, "this CPM is not connected; start it, or look at its log")
	}
	reply, err := asker.Ask(ctx, cpm.AskCommand, x.id, payload)
	if err != nil {
		return none, err
	}
	r, err := readReply(reply, l.address)
	if err != nil {
		return none, err
	}
	return r, nil
}
