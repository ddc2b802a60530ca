package adapter

import (
	"errors"
	"slices"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// What an adapter says is judged here before anybody sees it: an adapter is another process, perhaps another version,
// perhaps not a friend.

// Lengths in bytes of what an adapter may say in words: to callers, and to the log.
const (
	maxText  = 256
	maxCause = 1024
)

// resultOf judges an answer anew. It must belong to the operation asked for.
func resultOf(a *cpmv1.Answer, asked cpm.Operation) (*cpm.Result, error) {
	switch {
	case a.GetFault() != "" || a.GetKeyNotHeld():
		return nil, faultOf(a)
	case a.GetOperation() != string(asked):
		return nil, fault.New(fault.Device, "the adapter answered another operation than it was asked for")
	}
	r := &cpm.Result{Payload: cpm.Payload{Encoded: a.GetPayload()}, SigningInput: a.GetSigningInput()}
	if a.GetCause() != "" {
		r.Cause = causeText(a.GetCause())
	}
	return r, nil
}

// faultOf is the decline an adapter answered: one of the kinds it may answer with, or Device.
func faultOf(a *cpmv1.Answer) error {
	if a.GetKeyNotHeld() {
		return fault.New(fault.Unavailable, "the adapter does not hold the key").Because(cpm.ErrKeyNotHeld)
	}
	kind, ok := fault.KindNamed(a.GetFault())
	if !ok || !answerable(kind) {
		return fault.New(fault.Device, "%s", constantText(fault.Device)).Because(causeText("kind " + a.GetFault() + ": " + a.GetCause()))
	}
	text := a.GetText()
	if !printable(text) {
		text = constantText(kind)
	}
	e := fault.New(kind, "%s", text).After(retryAfterOf(a))
	if a.GetCause() != "" {
		return e.Because(causeText(a.GetCause()))
	}
	return e
}

// maxRetryAfter bounds how long an adapter may tell callers to wait.
const maxRetryAfter = time.Minute

func retryAfterOf(a *cpmv1.Answer) time.Duration {
	return min(time.Duration(a.GetRetryAfterMs())*time.Millisecond, maxRetryAfter)
}

// answerable says whether a module may answer with a kind. The others are the core's own judgements.
func answerable(k fault.Kind) bool {
	switch k {
	case fault.Invalid, fault.Missing, fault.TooLarge, fault.State, fault.Unsupported, fault.Refused, fault.Device, fault.Busy,
		fault.Unavailable, fault.Timeout, fault.OutcomeUnknown, fault.Internal:
		return true
	}
	return false
}

// printable says whether a text may be shown to callers: printable ASCII of a sensible length.
func printable(text string) bool {
	if text == "" || len(text) > maxText {
		return false
	}
	for _, b := range []byte(text) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

// constantText is the public text of a decline whose own text is not fit to be shown.
func constantText(k fault.Kind) string {
	switch k {
	case fault.Invalid, fault.Missing, fault.TooLarge:
		return "the adapter cannot take the request as it is"
	case fault.State:
		return "not possible in the present state of the key or the adapter"
	case fault.Unsupported:
		return "the adapter does not do this operation"
	case fault.Refused:
		return "the adapter refused the operation"
	case fault.Busy, fault.Unavailable:
		return "the adapter cannot serve now; try again shortly"
	case fault.Timeout:
		return "the adapter did not answer in time"
	case fault.OutcomeUnknown:
		return "the operation may or may not have been done"
	}
	return "the adapter failed; see the log under the request id"
}

func causeText(text string) error { return errors.New(text[:min(len(text), maxCause)]) }

// declineOf is the decline the core answered to an adapter that dialled in. It may be of every kind.
func declineOf(a *cpmv1.Answer) error {
	kind, ok := fault.KindNamed(a.GetFault())
	if !ok {
		return fault.New(fault.Internal, "the CPM gave an answer this adapter does not understand").Because(causeText("kind " + a.GetFault()))
	}
	text := a.GetText()
	if !printable(text) {
		text = "the CPM declined; see its log under the request id"
	}
	return fault.New(kind, "%s", text).After(retryAfterOf(a))
}

// stateOf judges a state: one there is.
func stateOf(s *cpmv1.LinkStatus) (cpm.State, error) {
	state := cpm.State(s.GetState())
	if !slices.Contains([]cpm.State{cpm.Starting, cpm.Active, cpm.ShuttingDown, cpm.Inactive, cpm.Stopped}, state) {
		return "", fault.New(fault.Device, "the adapter answered no state there is")
	}
	return state, nil
}

// Bounds of the counters of an adapter that dialled in: how many, and how long their names.
const (
	maxCounts    = 64
	maxCountName = 64
)

// serviceStatusOf judges the status of an adapter that dialled in. Its counters have names of its own.
func serviceStatusOf(s *cpmv1.LinkStatus) (cpm.ServiceStatus, error) {
	state, err := stateOf(s)
	if err != nil {
		return cpm.ServiceStatus{}, err
	}
	out := cpm.ServiceStatus{State: state, Counts: map[string]cpm.Outcomes{}}
	for _, c := range s.GetCounts() {
		name := c.GetOperation()
		if len(out.Counts) < maxCounts && (name == "" || printable(name) && len(name) <= maxCountName) {
			out.Counts[name] = cpm.Outcomes{Success: c.GetSuccess(), Failed: c.GetFailed(), Invalid: c.GetInvalid()}
		}
	}
	return out, nil
}

// statusOf judges a status: a state there is, and counters of operations there are.
func statusOf(s *cpmv1.LinkStatus) (cpm.Status, error) {
	state, err := stateOf(s)
	if err != nil {
		return cpm.Status{}, err
	}
	out := cpm.Status{State: state, Counts: map[cpm.Operation]cpm.Outcomes{}}
	known := map[cpm.Operation]bool{"": true} // the adapter's own row of what it does not know
	for _, row := range cpm.Operations() {
		known[row.Operation] = true
	}
	for _, c := range s.GetCounts() {
		if o := cpm.Operation(c.GetOperation()); known[o] {
			out.Counts[o] = cpm.Outcomes{Success: c.GetSuccess(), Failed: c.GetFailed(), Invalid: c.GetInvalid()}
		}
	}
	return out, nil
}
