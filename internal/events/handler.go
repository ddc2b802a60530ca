package events

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/mojaloop/cpm/internal/obs"
)

// Handler writes every record to the log and hands those with an event code to the Forwarder.
type Handler struct {
	forwarder *Forwarder
	next      slog.Handler
	content   slog.Handler // writes the content of messages into page
	page      *page
	facts     facts // of the attributes given by WithAttrs
	grouped   bool
}

// page is where contents are written, one at a time.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// maxContent bounds the content of one message. The stack of a panic is the longest thing that is logged.
const maxContent = 64 << 10

var _ slog.Handler = (*Handler)(nil)

// Handler is the log's handler with the Forwarder behind it.
func (f *Forwarder) Handler() slog.Handler {
	p := &page{}
	return &Handler{forwarder: f, next: f.config.Next, page: p, content: slog.NewJSONHandler(&p.text, &slog.HandlerOptions{
		Level: obs.LevelSilly, ReplaceAttr: contentAttr,
	})}
}

// contentAttr leaves the time to the message's own field and names the levels as the log does.
func contentAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch level, isLevel := a.Value.Any().(slog.Level); {
	case a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime:
		return slog.Attr{}
	case a.Key == slog.LevelKey && isLevel:
		return slog.String(a.Key, obs.LevelName(level))
	}
	return a
}

// Enabled is the log's: what is not written is not forwarded.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle writes the log and gives its error; forwarding has none.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	err := h.next.Handle(ctx, r)
	found := h.facts
	if !h.grouped {
		r.Attrs(func(a slog.Attr) bool {
			found.take(a)
			return true
		})
	}
	if found.code != "" {
		h.forwarder.offer(ctx, newMessage(r, found, h.render(ctx, r)))
	}
	return err
}

// render is the content of a message.
func (h *Handler) render(ctx context.Context, r slog.Record) []byte {
	h.page.mu.Lock()
	defer h.page.mu.Unlock()
	h.page.text.Reset()
	if err := h.content.Handle(ctx, r); err != nil || h.page.text.Len() > maxContent {
		h.page.text = bytes.Buffer{} // not to keep what was too long
		return nil
	}
	return bytes.TrimRight(slices.Clone(h.page.text.Bytes()), "\n")
}

// WithAttrs is the same with attributes in every record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	n.next, n.content = h.next.WithAttrs(attrs), h.content.WithAttrs(attrs)
	for _, a := range attrs {
		if !h.grouped {
			n.facts.take(a)
		}
	}
	return &n
}

// WithGroup is the same with the following attributes in a group; the code of an event is never in one.
func (h *Handler) WithGroup(name string) slog.Handler {
	n := *h
	n.next, n.content, n.grouped = h.next.WithGroup(name), h.content.WithGroup(name), h.grouped || name != ""
	return &n
}
