package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/fault"
)

// notValid ends a command with exit code 1 after its answer has been printed: there is nothing more to say.
var errNotValid = errors.New("not valid")

const (
	exitDone     = 0
	exitNotValid = 1
	exitUsage    = 2
)

// report tells an error and gives the exit code.
func (a *app) report(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errNotValid):
		return exitNotValid
	}
	if _, ran := errors.AsType[failure](err); !ran {
		a.tell("error", err.Error())
		a.tell("hint", a.help())
		return exitUsage
	}
	if _, ours := errors.AsType[*fault.Error](err); !ours {
		a.tell("error", err.Error())
		return fault.Internal.Code().Exit
	}
	e := fault.From(err)
	text, hint := a.hintOf(err, e)
	if id, ok := errors.AsType[command.RequestID](err); ok {
		text += " (" + id.Error() + ")"
	}
	a.tell("error", text)
	a.tell("cause", causeOf(e))
	a.tell("hint", hint)
	return e.Kind.Code().Exit
}

// tell writes talk to standard error, each line by itself.
func (a *app) tell(what, text string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(a.io.Err, "cpm: %s: %s\n", what, line)
		}
	}
}

// say writes one line about what was done to standard error.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.io.Err, "cpm: "+format+"\n", args...) }

// hinted is an error together with what to do next.
type hinted struct {
	error
	hint string
	// last says that the hint is only for an error that advises nothing by itself.
	last bool
}

// Unwrap gives the error.
func (h hinted) Unwrap() error { return h.error }

func withHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hinted{error: err, hint: fmt.Sprintf(format, args...)}
}

// withLastHint is withHint for errors that may advise something better by themselves.
func withLastHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return hinted{error: err, hint: hint, last: true}
}

// hintOf is the next step: the one a command has given, or the end of the public text ("…; do this with: cpm …"), or one
// for the kind, unless the text advises something by itself.
func (a *app) hintOf(err error, e *fault.Error) (text, hint string) {
	text = e.Public
	i := strings.LastIndex(text, "; ")
	if i > 0 && (strings.Contains(text[i:], "cpm ") || strings.HasPrefix(text[i:], "; hint: ")) {
		text, hint = text[:i], strings.TrimPrefix(text[i+2:], "hint: ")
	}
	if h, ok := errors.AsType[hinted](err); ok && (!h.last || (hint == "" && i < 0)) {
		hint = h.hint
	}
	switch {
	case hint != "":
	case e.Kind != fault.Invalid && nobodyThere(err): // an invalid request is about a file that is not there
		hint = "start one with: cpm dev, or name its socket with --socket"
	case i < 0:
		hint = a.hintFor(e.Kind)
	}
	return text, hint
}

// hintFor is the next step when nobody knows a better one.
func (a *app) hintFor(k fault.Kind) string {
	switch k {
	case fault.Invalid, fault.Missing, fault.TooLarge:
		return a.help()
	case fault.Unauthenticated, fault.Denied:
		return "see who may do what with: cpm grant list"
	case fault.NotFound:
		return "see what there is with: cpm fsp list, cpm key list"
	case fault.Conflict, fault.OutcomeUnknown:
		return "look at the present state, then repeat: cpm status"
	case fault.NotRouted, fault.Unsupported:
		return "see what would become of a request with: cpm route test FSP OPERATION"
	case fault.State, fault.Busy, fault.Timeout, fault.Unavailable, fault.Sealed, fault.AuditUnavailable:
		return "look at the CPM with: cpm status"
	}
	return "look into the log of the CPM"
}

func (a *app) help() string {
	if a.ran == nil {
		return "see: cpm --help"
	}
	return "see: " + a.ran.CommandPath() + " --help"
}

// causeOf is what lies behind a fault of this machine: here the caller is the operator, who may know. A decline of a
// running CPM brings none.
func causeOf(e *fault.Error) string {
	chain := e.Unwrap()
	if len(chain) < 2 {
		return ""
	}
	if _, remote := errors.AsType[command.RequestID](chain[1]); remote {
		return ""
	}
	return chain[1].Error()
}
