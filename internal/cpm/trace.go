package cpm

// TraceParent is the caller's place in a distributed trace: a traceparent of W3C Trace Context (level 1, version 00), or
// empty.
type TraceParent string

// traceParentLength is that of version 00: version, trace-id, parent-id and flags, joined by hyphens.
const traceParentLength = 2 + 1 + 32 + 1 + 16 + 1 + 2

// ParseTraceParent takes a header's value. What is not a traceparent of version 00 is none: a trace is never a reason to
// decline.
func ParseTraceParent(s string) TraceParent {
	if len(s) != traceParentLength || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return ""
	}
	if !lowerHex(s[3:35]) || !lowerHex(s[36:52]) || !lowerHex(s[53:]) || zero(s[3:35]) || zero(s[36:52]) {
		return ""
	}
	return TraceParent(s)
}

// ID is the trace-id, 32 hexadecimal digits; empty without a trace.
func (t TraceParent) ID() string {
	if len(t) != traceParentLength {
		return ""
	}
	return string(t[3:35])
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func zero(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}
