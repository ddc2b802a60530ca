package events

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/mojaloop/cpm/internal/obs"
)

// The types of messages, which are also the ends of Kafka topics.
const (
	typeLog   = "log"
	typeAudit = "audit"
)

// The states of messages.
const (
	success = "success"
	failed  = "failed"
)

const (
	service     = "cpm"
	contentType = "application/json"
	timeFormat  = "2006-01-02T15:04:05.000Z" // JavaScript's Date.toISOString
)

// Message is an EventMessage of Mojaloop's event-sdk. Its JSON is the value of a Kafka record; over gRPC it is encoded by
// wire.
type Message struct {
	ID       string          `json:"id"`
	From     string          `json:"from"`
	Type     string          `json:"type"`
	Metadata Metadata        `json:"metadata"`
	Content  json.RawMessage `json:"content"`
}

// Metadata is what every message has beside its content.
type Metadata struct {
	Event Event  `json:"event"`
	Trace *Trace `json:"trace,omitempty"`
}

// Event says what kind of event it was and how it ended.
type Event struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Action    string `json:"action"`
	CreatedAt string `json:"createdAt"`
	State     State  `json:"state"`
}

// State says how it ended. Code is the FSPIOP code that was answered, if there was one; Description the words of the log.
type State struct {
	Status      string `json:"status"`
	Code        int32  `json:"code,omitempty"`
	Description string `json:"description"`
}

// Trace is the place of the event in a trace; there is none without a trace id.
type Trace struct {
	Service        string `json:"service"`
	TraceID        string `json:"traceId"`
	SpanID         string `json:"spanId"`
	StartTimestamp string `json:"startTimestamp"`
}

// facts are the attributes a message has fields for.
type facts struct {
	code, trace, outcome, errorCode string
}

func (f *facts) take(a slog.Attr) {
	if a.Value.Kind() != slog.KindString {
		return
	}
	value := a.Value.String()
	switch a.Key {
	case obs.EventKey:
		f.code = value
	case obs.TraceIDKey:
		f.trace = value
	case obs.OutcomeKey:
		f.outcome = value
	case obs.ErrorCodeKey:
		f.errorCode = value
	}
}

// newMessage makes a message of a record. Without content, which was too long, the code stands for it.
func newMessage(r slog.Record, f facts, content []byte) *Message {
	if content == nil {
		content, _ = json.Marshal(map[string]any{obs.EventKey: f.code, "tooLong": true}) //nolint:errchkjson // a text and a boolean
	}
	at := r.Time.UTC().Format(timeFormat)
	m := &Message{ID: newID(), From: service, Type: contentType, Content: content, Metadata: Metadata{Event: Event{
		ID: newID(), Type: typeLog, Action: action(r.Level), CreatedAt: at,
		State: State{Status: success, Code: number(f.errorCode), Description: r.Message},
	}}}
	e := &m.Metadata.Event
	if r.Level == obs.LevelAudit {
		e.Type = typeAudit
	}
	if r.Level > obs.LevelAudit || f.outcome == failed || f.outcome == "declined" {
		e.State.Status = failed
	}
	if isHex(f.trace, 32) {
		m.Metadata.Trace = &Trace{Service: service, TraceID: f.trace, SpanID: hex.EncodeToString(random(8)), StartTimestamp: at}
	}
	return m
}

// action is the word of event-sdk for a level.
func action(l slog.Level) string {
	switch obs.LevelName(l) {
	case "audit":
		return "default"
	case "error":
		return "error"
	case "warn":
		return "warn"
	case "perf":
		return "perf"
	case "verbose":
		return "verbose"
	case "debug", "silly":
		return "debug"
	}
	return "info"
}

func number(code string) int32 {
	n, err := strconv.ParseInt(code, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

func isHex(s string, n int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == n
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails: crypto/rand ends the process first
	return b
}

// newID is a random UUID (RFC 9562, version 4).
func newID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
