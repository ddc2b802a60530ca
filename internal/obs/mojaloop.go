package obs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// isoTime is JavaScript's toISOString.
const isoTime = "2006-01-02T15:04:05.000Z"

// mojaloopHandler writes the console line of central-services-logger 11, without its colours:
//
//	<time> - <level>: <message> -\t<attributes as JSON, names sorted>
//
// Without attributes the line ends behind the message.
type mojaloopHandler struct {
	level slog.Leveler
	out   *lineWriter
	// scopes are the groups opened so far with the attributes added inside them; the first has no name.
	scopes []scope
}

type scope struct {
	name  string
	attrs []slog.Attr
}

// lineWriter is shared by a handler and all that were derived from it.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func newMojaloopHandler(w io.Writer, level slog.Leveler) *mojaloopHandler {
	return &mojaloopHandler{level: level, out: &lineWriter{w: w}, scopes: []scope{{}}}
}

// Enabled says whether records of the level are written.
func (h *mojaloopHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// WithAttrs adds attributes to the innermost group.
func (h *mojaloopHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	scopes := slices.Clone(h.scopes)
	last := &scopes[len(scopes)-1]
	last.attrs = append(slices.Clip(last.attrs), attrs...)
	return &mojaloopHandler{h.level, h.out, scopes}
}

// WithGroup opens a group.
func (h *mojaloopHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &mojaloopHandler{h.level, h.out, append(slices.Clip(h.scopes), scope{name: name})}
}

// Handle writes one record as one line.
func (h *mojaloopHandler) Handle(_ context.Context, r slog.Record) error {
	var line bytes.Buffer
	line.WriteString(isoText(r.Time))
	line.WriteString(" - " + LevelName(r.Level) + ": " + escapeControls(r.Message))
	if meta := h.metadata(r); len(meta) > 0 {
		line.WriteString(" -\t")
		writeSorted(&line, meta)
	}
	line.WriteByte('\n')
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := h.out.w.Write(line.Bytes())
	return err
}

// isoText is a time as JavaScript writes it; a record may have none.
func isoText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(isoTime)
}

// metadata builds the object from the inside out, so that a group without attributes is left out.
func (h *mojaloopHandler) metadata(r slog.Record) map[string]any {
	var inner []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		inner = append(inner, a)
		return true
	})
	for i := len(h.scopes) - 1; i > 0; i-- {
		attrs := append(slices.Clip(h.scopes[i].attrs), inner...)
		inner = []slog.Attr{{Key: h.scopes[i].name, Value: slog.GroupValue(attrs...)}}
	}
	return object(append(slices.Clip(h.scopes[0].attrs), inner...))
}

// object makes a map of attributes; of two with the same name the later one stays.
func object(attrs []slog.Attr) map[string]any {
	m := make(map[string]any, len(attrs))
	for _, a := range attrs {
		v := a.Value.Resolve()
		switch {
		case v.Kind() != slog.KindGroup:
			if a.Key != "" || v.Any() != nil {
				m[a.Key] = plainValue(v)
			}
		case a.Key == "":
			for name, value := range object(v.Group()) {
				m[name] = value
			}
		default:
			if g := object(v.Group()); len(g) > 0 {
				m[a.Key] = g
			}
		}
	}
	return m
}

// plainValue gives what encoding/json writes without failing.
func plainValue(v slog.Value) any {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().UTC().Format(time.RFC3339Nano)
	case slog.KindFloat64, slog.KindAny:
		return encoded(v.Any())
	default:
		return v.Any()
	}
}

// encoded is a value in JSON, or as text where JSON cannot carry it. A value that panics when it is asked for its text,
// such as a nil pointer, costs its own text and not the request.
func encoded(v any) (shown any) {
	defer func() {
		if p := recover(); p != nil {
			shown = fmt.Sprintf("!PANIC: %T", v)
		}
	}()
	_, marshals := v.(json.Marshaler)
	if err, ok := v.(error); ok && !marshals {
		return err.Error()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return json.RawMessage(b)
}

// writeSorted writes compact JSON with sorted names; encoding/json sorts the names of maps.
func writeSorted(b *bytes.Buffer, meta map[string]any) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(meta); err != nil {
		b.WriteString(`{"error":"the attributes cannot be encoded"}`)
		return
	}
	b.Truncate(b.Len() - 1) // the encoder ends with a line end
}
