package operator

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// The results of a command.
const (
	Success = "success"
	Failed  = "failed"
)

// unknown is the word for a state that nobody can tell.
const unknown = "Unknown"

// Answer is the answer to a command that was not declined. A command can have been carried out and have failed.
type Answer struct {
	// Result is Success or Failed.
	Result string `json:"result"`
	// Reason is why it failed, or what else the operator should know.
	Reason   string         `json:"reason,omitempty"`
	Adapters []AdapterState `json:"adapters"`
	// Status is the status document of the CPM, for the command Status.
	Status json.RawMessage `json:"status,omitempty"`
	// Replicas has the answer of each core, if the adapter serves several. What stands above is then that of the first one
	// that failed, or of the first.
	Replicas []Replica `json:"replicas,omitempty"`
}

// AdapterState is the state of an adapter, or of the CPM itself: the specification's word, and the exact state.
type AdapterState struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	State  string `json:"state"`
}

// Replica is the answer of one core.
type Replica struct {
	// Replica is the name of the core, or its address if it did not answer.
	Replica  string          `json:"replica"`
	Result   string          `json:"result"`
	Reason   string          `json:"reason,omitempty"`
	Adapters []AdapterState  `json:"adapters"`
	Status   json.RawMessage `json:"status,omitempty"`
}

// errReply is the fault for a reply of a core that is none.
func errReply(err error) *fault.Error {
	return fault.New(fault.Internal, "the CPM answered in a way this adapter does not understand; are they of neighbouring versions?").Because(err)
}

// readReply judges a core's reply as anything else from outside, and formats it for operators.
func readReply(payload []byte, address string) (Replica, error) {
	var m cpmv1.CommandReply
	if err := proto.Unmarshal(payload, &m); err != nil {
		return Replica{}, errReply(err)
	}
	if m.GetResult() != Success && m.GetResult() != Failed {
		return Replica{}, errReply(nil)
	}
	if len(m.GetStatus()) > 0 && !json.Valid(m.GetStatus()) {
		return Replica{}, errReply(nil)
	}
	r := Replica{Replica: m.GetReplica(), Result: m.GetResult(), Reason: m.GetReason(), Adapters: []AdapterState{}, Status: m.GetStatus()}
	if r.Replica == "" {
		r.Replica = address
	}
	for _, a := range m.GetAdapters() {
		r.Adapters = append(r.Adapters, AdapterState{Name: a.GetName(), Status: a.GetStatus(), State: a.GetState()})
	}
	return r, nil
}

// merge makes one answer of all cores' answers: failed if any failed, with its reason.
func merge(replicas []Replica) *Answer {
	shown := replicas[0]
	for _, r := range replicas {
		if r.Result == Failed {
			shown = r
			break
		}
	}
	a := &Answer{Result: shown.Result, Reason: shown.Reason, Adapters: shown.Adapters, Status: shown.Status}
	if len(replicas) > 1 {
		a.Replicas = replicas
		if shown.Result == Failed {
			a.Reason = shown.Replica + ": " + shown.Reason
		}
	}
	return a
}
