package fault

import "google.golang.org/grpc/codes"

// Kind classifies an Error. A Kind is an error itself, so that errors.Is(err, fault.NotFound) works.
type Kind uint8

// The kinds, in the order of the table.
const (
	Internal         Kind = iota // our own fault
	Invalid                      // the request cannot be understood
	Missing                      // a mandatory element is missing
	TooLarge                     // over a limit
	Unauthenticated              // nobody we know
	Denied                       // known, and not allowed
	NotFound                     // no such thing
	Conflict                     // somebody else changed it first
	State                        // not possible in the present state
	NotRouted                    // no enabled route for FSP and operation
	Unsupported                  // the adapter may not or cannot do this
	Refused                      // cryptography or policy refused; always the same text
	Device                       // a device or a primitive failed
	Busy                         // over capacity or quota
	Unavailable                  // adapter not Active, draining, no device
	Sealed                       // the root key is not there yet
	AuditUnavailable             // the audit log cannot be written
	Timeout                      // the timer expired first
	OutcomeUnknown               // it may or may not have happened
	kinds
)

// Code is how the doors show a kind.
type Code struct {
	// Name is the word in extensionList, logs and metrics.
	Name string
	// HTTP is the status of a JSON answer.
	HTTP int
	// FSPIOP is the Mojaloop error code (API Definition v1.1, section 7.6).
	FSPIOP string
	// Title is the Mojaloop text of that code.
	Title string
	// GRPC is the status code on the gRPC port.
	GRPC codes.Code
	// Exit is the exit code of the command line.
	Exit int
}

// table is indexed by Kind; a test walks it.
var table = [kinds]Code{
	Internal:         {"internal", 500, "2001", "Internal server error", codes.Internal, 1},
	Invalid:          {"invalid", 400, "3101", "Malformed syntax", codes.InvalidArgument, 2},
	Missing:          {"missing", 400, "3102", "Missing mandatory element", codes.InvalidArgument, 2},
	TooLarge:         {"too-large", 413, "3104", "Too large payload", codes.ResourceExhausted, 2},
	Unauthenticated:  {"unauthenticated", 401, "3000", "Generic client error", codes.Unauthenticated, 3},
	Denied:           {"denied", 403, "3000", "Generic client error", codes.PermissionDenied, 3},
	NotFound:         {"not-found", 404, "3200", "Generic ID not found", codes.NotFound, 4},
	Conflict:         {"conflict", 409, "3106", "Modified request", codes.Aborted, 5},
	State:            {"state", 409, "3100", "Generic validation error", codes.FailedPrecondition, 5},
	NotRouted:        {"not-routed", 422, "2002", "Not implemented", codes.FailedPrecondition, 5},
	Unsupported:      {"unsupported", 501, "2002", "Not implemented", codes.Unimplemented, 5},
	Refused:          {"refused", 400, "3100", "Generic validation error", codes.InvalidArgument, 5},
	Device:           {"device", 500, "2001", "Internal server error", codes.Internal, 1},
	Busy:             {"busy", 429, "2005", "Server busy", codes.ResourceExhausted, 6},
	Unavailable:      {"unavailable", 503, "2003", "Service currently unavailable", codes.Unavailable, 6},
	Sealed:           {"sealed", 503, "2003", "Service currently unavailable", codes.Unavailable, 6},
	AuditUnavailable: {"audit-unavailable", 503, "2003", "Service currently unavailable", codes.Unavailable, 6},
	Timeout:          {"timeout", 504, "2004", "Server timed out", codes.DeadlineExceeded, 6},
	OutcomeUnknown:   {"outcome-unknown", 500, "2001", "Internal server error", codes.Unknown, 6},
}

// Kinds lists every kind.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Code gives the kind's row of the table; an unknown kind has the row of Internal.
func (k Kind) Code() Code {
	if k >= kinds {
		k = Internal
	}
	return table[k]
}

// String is the kind's word.
func (k Kind) String() string { return k.Code().Name }

// Error makes a Kind usable with errors.Is.
func (k Kind) Error() string { return k.String() }

// KindNamed finds a kind by its word, as a link or an answer body carries it.
func KindNamed(word string) (Kind, bool) {
	for k, c := range table {
		if c.Name == word {
			return Kind(k), true
		}
	}
	return Internal, false
}
