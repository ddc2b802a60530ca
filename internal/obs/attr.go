package obs

import (
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/mojaloop/cpm/internal/fault"
)

// The names of the attributes. Mojaloop's logger blanks a field whose name holds "key", "client", "token", "access" and
// the like; none of these does.
const (
	keyComponent = "component"
	keyEvent     = "event"
	keyRequestID = "requestId"
	keyTraceID   = "traceId"
	keyFSP       = "fspId"
	keyOperation = "operation"
	keyAdapter   = "adapter"
	keyKid       = "kid"
	keySubject   = "subject"
	keyAlg       = "alg"
	keyOutcome   = "outcome"
	keyKind      = "kind"
	keyErrorCode = "errorCode"
	keyDuration  = "durationMs"
	keyError     = "error"
)

// The names that readers of records look for.
const (
	EventKey     = keyEvent
	TraceIDKey   = keyTraceID
	OutcomeKey   = keyOutcome
	ErrorCodeKey = keyErrorCode
)

// Bounds of a value in bytes: a name can come from a request, and an error from a library.
const (
	maxValue = 256
	maxError = 512
)

func attr[S ~string](key string, value S) slog.Attr {
	return slog.String(key, clip(string(value), maxValue))
}

// Component names the part of the CPM that speaks, for example "core".
func Component(name string) slog.Attr { return attr(keyComponent, name) }

// Event is the code of an event, which stays when the wording of its message changes.
func Event(code string) slog.Attr { return attr(keyEvent, code) }

// RequestID is the id every answer carries.
func RequestID(id string) slog.Attr { return attr(keyRequestID, id) }

// TraceID is the trace-id of W3C Trace Context, 32 hexadecimal digits; without a trace there is no attribute.
func TraceID(id string) slog.Attr {
	if id == "" {
		return slog.Attr{}
	}
	return attr(keyTraceID, id)
}

// FSP is the name of a participant.
func FSP[S ~string](name S) slog.Attr { return attr(keyFSP, name) }

// Operation is the name of an operation, such as jws.sign.
func Operation[S ~string](name S) slog.Attr { return attr(keyOperation, name) }

// Adapter is the name of an adapter.
func Adapter[S ~string](name S) slog.Attr { return attr(keyAdapter, name) }

// Kid is the id or the name of a key, never the key.
func Kid[S ~string](id S) slog.Attr { return attr(keyKid, id) }

// Subject is the name in a certificate.
func Subject[S ~string](name S) slog.Attr { return attr(keySubject, name) }

// Alg is the JOSE name of an algorithm.
func Alg[S ~string](name S) slog.Attr { return attr(keyAlg, name) }

// Outcome is how it ended: success, failed, declined, or a reason word of the verification.
func Outcome[S ~string](word S) slog.Attr { return attr(keyOutcome, word) }

// Kind is the kind of a decline.
func Kind(k fault.Kind) slog.Attr { return slog.String(keyKind, k.String()) }

// ErrorCode is the FSPIOP code that was answered.
func ErrorCode(code string) slog.Attr { return attr(keyErrorCode, code) }

// Duration is how long it took, in milliseconds with three decimals.
func Duration(d time.Duration) slog.Attr {
	return slog.Float64(keyDuration, float64(d.Round(time.Microsecond).Microseconds())/1e3)
}

// Err is the text of an error with its causes, cut at 512 bytes; no attribute for nil.
func Err(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.String(keyError, clip(err.Error(), maxError))
}

// clip cuts s to at most n bytes without cutting a character in two.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
