package events

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the enumerations on the wire. The proto file of event-sdk has the same name twice in one scope, which the
// compilers of protobuf refuse: so the few fields are written out here.
const (
	wireLog, wireAudit      = 1, 2
	wireSuccess, wireFailed = 1, 2

	answerError = 3 // of LogResponseStatus
)

// wireAction numbers the actions.
func wireAction(word string) uint64 {
	for n, w := range []string{"", "info", "debug", "verbose", "perf", "warn", "error", "span", "default", "start", "finish", "egress", "ingress"} {
		if w == word {
			return uint64(n)
		}
	}
	return 0
}

// wire is the message as protobuf: mojaloop.events.EventMessage.
func (m *Message) wire() []byte {
	metadata := part(nil, 1, m.Metadata.Event.wire())
	if m.Metadata.Trace != nil {
		metadata = part(metadata, 2, m.Metadata.Trace.wire())
	}
	content := part(text(nil, 1, m.Type), 2, m.Content) // google.protobuf.Any: the type in the place of its URL, the bytes
	b := text(text(nil, 1, m.ID), 2, m.From)
	return part(text(part(b, 5, metadata), 6, m.Type), 7, content)
}

func (e *Event) wire() []byte {
	kind, status := uint64(wireLog), uint64(wireSuccess)
	if e.Type == typeAudit {
		kind = wireAudit
	}
	if e.State.Status == failed {
		status = wireFailed
	}
	state := varint(nil, 1, status)
	if e.State.Code > 0 {
		state = varint(state, 2, uint64(e.State.Code))
	}
	state = text(state, 3, e.State.Description)
	b := varint(varint(text(nil, 1, e.ID), 2, kind), 3, wireAction(e.Action))
	return part(text(b, 4, e.CreatedAt), 6, state)
}

func (t *Trace) wire() []byte {
	return text(text(text(text(nil, 1, t.Service), 2, t.TraceID), 3, t.SpanID), 7, t.StartTimestamp)
}

func text(b []byte, field protowire.Number, s string) []byte { return part(b, field, []byte(s)) }

func part(b []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), value)
}

func varint(b []byte, field protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), value)
}

// errAnswer is the error of an answer that is no LogResponse.
var errAnswer = errors.New("the sidecar's answer cannot be read")

// accepted reads a LogResponse: false if the sidecar says that it could not take the message.
func accepted(answer []byte) (bool, error) {
	status := uint64(0)
	for len(answer) > 0 {
		field, kind, n := protowire.ConsumeTag(answer)
		if n < 0 {
			return false, errAnswer
		}
		answer = answer[n:]
		if n = protowire.ConsumeFieldValue(field, kind, answer); n < 0 {
			return false, errAnswer
		}
		if field == 1 && kind == protowire.VarintType {
			status, _ = protowire.ConsumeVarint(answer)
		}
		answer = answer[n:]
	}
	return status != answerError, nil
}
