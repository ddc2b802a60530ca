package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/spec"
)

// growth bounds what the bad requests together may add to the memory of the CPM, and peak what one of them may while it is
// there: some have to be taken in to be judged.
const (
	growth = 16 << 20
	peak   = 32 << 20
)

// TestBadRequests sends every bad request through every door: each has exactly one answer, of the status, code and reason
// wanted, that says nothing of what was sent; the counters add up, no case takes much memory, and what they took together is
// given back.
func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	w.settle(t, func() {
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() { w.serveAll(t, nil) })
		}
		callers.Wait()
		w.serveAll(t, []edit{{Fill: "/body", Size: 256 << 10}})
	})
	before := w.inUse(t)
	for _, c := range badRequests(t) {
		t.Run(c.name, func(t *testing.T) { w.tryWithin(t, c) })
	}
	w.serveAll(t, []edit{{Fill: "/body", Size: 2 << 20}}) // after which the CPM collects; what it did not decode it leaves until then
	after := w.inUse(t)
	for range 60 {
		if after-before <= growth {
			break
		}
		time.Sleep(500 * time.Millisecond)
		after = w.inUse(t)
	}
	t.Logf("%d KiB of memory before, %d KiB after", before>>10, after>>10)
	if after-before > growth {
		t.Errorf("memory grew by %d KiB", (after-before)>>10)
	}
	w.serveLargeBatches(t)
	if strings.Contains(w.log.text(), w.marker) {
		t.Error("the log has what was sent")
	}
	w.addUp(t)
	spec.Covers(t, "MSG-1a", "MSG-1b", "MSG-2a", "MSG-2b", "MSG-4a", "MSG-8", "MSG-11", "CMD-5f-vi-encryptions", "CMD-6")
}

// inUse is how much of its memory the CPM uses, without what it has not given back to the system yet.
func (w *world) inUse(t *testing.T) int {
	t.Helper()
	return w.scrape(t).sum("go_memstats_heap_inuse_bytes")
}

// settle repeats what is served until it takes no more memory than before.
func (w *world) settle(t *testing.T, serve func()) {
	t.Helper()
	for quiet, rounds := 0, 0; quiet < 2 && rounds < 10; rounds++ {
		before := w.memory("VmHWM")
		serve()
		if w.memory("VmHWM")-before < 1<<20 {
			quiet++
		}
	}
}

// serveAll asks for every operation through every door.
func (w *world) serveAll(t *testing.T, edits []edit) {
	t.Helper()
	for name, ask := range doors() {
		for _, operation := range []string{"sign", "verify"} {
			r := request{"switch", "payerfsp", operation, w.draft(t, operation, "payerfsp", edits, signature{})}
			if a := ask(w, t, r); !a.good() {
				t.Errorf("%s %s: %s", name, operation, a)
			}
		}
	}
}

// serveLargeBatches has batches of 30 MiB done, which is about the most there may be.
func (w *world) serveLargeBatches(t *testing.T) {
	t.Helper()
	large := []edit{{Fill: "/body", Size: 5 << 20}}
	r := request{"switch", "payerfsp", "verify", w.draft(t, "verify", "payerfsp", large, signature{})}
	items := slices.Repeat([]any{r.envelope()}, 6)
	p := plea{
		method: "POST", path: "/v1/batch", header: map[string]string{"Content-Type": "application/json"},
		body: marshal(t, map[string]any{"items": items}),
	}
	w.plead(t, "switch", p, func(text []byte) (answer, error) { return w.readLargeBatch(r, text, len(items)) })
}

// readLargeBatch sees that all results are good; it gives the last one and counts the others.
func (w *world) readLargeBatch(r request, text []byte, n int) (last answer, err error) {
	var b struct{ Results []json.RawMessage }
	if err := strict(text, &b); err != nil || len(b.Results) != n {
		return answer{}, fmt.Errorf("%d results of %d items: %w", len(b.Results), n, err)
	}
	for i, result := range b.Results {
		last, err = readItem(r, result)
		if err == nil && !last.good() {
			err = fmt.Errorf("a good item of a large batch: %s", last)
		}
		if err != nil || i == n-1 {
			break
		}
		w.tally.add("json", last)
	}
	return last, err
}

// tryWithin tries a case and judges by how much the memory of the CPM grew at most while it did.
func (w *world) tryWithin(t *testing.T, c badRequest) {
	t.Helper()
	w.resetPeak()
	before := w.memory("VmRSS")
	w.try(t, c)
	if grew := w.memory("VmHWM") - before; grew > peak {
		t.Errorf("memory grew by %d KiB", grew>>10)
	} else if grew > peak/8 {
		t.Logf("memory grew by %d KiB", grew>>10)
	}
}

func (w *world) try(t *testing.T, c badRequest) {
	t.Helper()
	if c.HTTP != nil || c.Want.Kind == handshake {
		w.tryPort(t, c)
	} else {
		w.tryDoors(t, c)
	}
}

// tryDoors sends a case through each of its doors.
func (w *world) tryDoors(t *testing.T, c badRequest) {
	t.Helper()
	names := c.Doors
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(doors()))
	}
	for _, name := range names {
		ask := doors()[name]
		r := w.sound(t, c, func(r request) answer { return ask(w, t, r) })
		got := ask(w, t, r)
		got.compare(t, name, c.Want, name == "json" || name == "process")
	}
}

// sound makes the good message of a case, sees that it is one, and gives the bad request.
func (w *world) sound(t *testing.T, c badRequest, ask func(request) answer) request {
	t.Helper()
	r := request{"switch", c.FSP, c.Operation, w.draft(t, c.Operation, c.FSP, c.Draft, c.Signature)}
	if !c.Unsound {
		if a := ask(r); !a.good() {
			t.Fatalf("there is something wrong before the edits: %s", a)
		}
	}
	apply(t, r.message, c.Edits)
	r.caller, r.fsp = c.Caller, c.AskFor
	return r
}

// compare holds the answer against what was wanted. Only the JSON paths of one operation have a status of their own.
func (a answer) compare(t *testing.T, door string, w want, status bool) {
	t.Helper()
	if status && a.status != w.Status {
		t.Errorf("%s: status %d, want %d", door, a.status, w.Status)
	}
	if a.kind != w.Kind || a.code != w.Code || a.reason != w.Reason {
		t.Errorf("%s: %s, want %+v", door, a, w)
	}
	if w.Reason != "" && (a.valid == nil || *a.valid) {
		t.Errorf("%s: a reason and no verdict", door)
	}
}

// tryPort sends a case that is about the JSON port itself, or about connections.
func (w *world) tryPort(t *testing.T, c badRequest) {
	t.Helper()
	if c.Want.Kind == handshake {
		must(t, refused(w.At.HTTP, w.tls(c.Caller)))
		must(t, refused(w.At.GRPC, overHTTP2(w.tls(c.Caller))))
		w.tally.addRefused("json")
		w.tally.addRefused("grpc")
		return
	}
	r := w.sound(t, c, func(r request) answer { return w.askJSON(t, r) })
	w.plead(t, c.Caller, c.HTTP.plea(t, w, r), readOnlyItem).compare(t, "json", c.Want, true)
}

// readOnlyItem reads the decline of the only item of a batch.
func readOnlyItem(text []byte) (answer, error) {
	var b struct {
		Results []struct{ Error json.RawMessage }
	}
	if err := strict(text, &b); err != nil || len(b.Results) != 1 {
		return answer{raw: text}, fmt.Errorf("a good answer to a bad request: %w", err)
	}
	return readDecline(b.Results[0].Error)
}

// plea makes the HTTP request.
func (h *httpCase) plea(t *testing.T, w *world, r request) plea {
	t.Helper()
	p := plea{
		method: "POST", path: r.path(), header: map[string]string{"Content-Type": "application/json"},
		chunked: h.Chunked, slowly: h.Slowly, silent: h.Silent,
	}
	if h.Method != "" {
		p.method = h.Method
	}
	if h.Path != "" {
		p.path = strings.ReplaceAll(h.Path, "MARKER", w.marker)
	}
	maps.Copy(p.header, h.Header)
	body, known := bodies()[h.Body]
	if !known {
		t.Fatalf("body %q is not known", h.Body)
	}
	p.body = body(t, w, h, r)
	return p
}

// bodies are the bodies a case can name.
func bodies() map[string]func(*testing.T, *world, *httpCase, request) []byte {
	message := func(t *testing.T, _ *world, _ *httpCase, r request) []byte { return marshal(t, r.message) }
	return map[string]func(*testing.T, *world, *httpCase, request) []byte{
		"": message,
		// text is Text itself; the word MARKER stands for the marker.
		"text": func(_ *testing.T, w *world, h *httpCase, _ request) []byte {
			return []byte(strings.ReplaceAll(h.Text, "MARKER", w.marker))
		},
		// before puts Text behind the first brace of the message, as members that come before all others.
		"before": func(t *testing.T, w *world, h *httpCase, r request) []byte {
			return []byte("{" + strings.ReplaceAll(h.Text, "MARKER", w.marker) + "," + string(message(t, w, h, r)[1:]))
		},
		"truncated": func(t *testing.T, w *world, h *httpCase, r request) []byte {
			text := message(t, w, h, r)
			return text[:len(text)/2]
		},
		// padded is the message and blanks, Size bytes in all.
		"padded": func(t *testing.T, w *world, h *httpCase, r request) []byte {
			text := message(t, w, h, r)
			return append(text, strings.Repeat(" ", h.Size-len(text))...)
		},
		// nested is Size objects in each other.
		"nested": func(_ *testing.T, _ *world, h *httpCase, _ request) []byte {
			return []byte(strings.Repeat(`{"headers":`, h.Size) + "1" + strings.Repeat("}", h.Size))
		},
		// batch is Count items, and blanks up to Size.
		"batch": func(t *testing.T, _ *world, h *httpCase, r request) []byte {
			text := marshal(t, map[string]any{"items": slices.Repeat([]any{r.envelope()}, h.Count)})
			return append(text, strings.Repeat(" ", max(0, h.Size-len(text)))...)
		},
		// not-utf8 has a byte in it that is in no text.
		"not-utf8": func(t *testing.T, w *world, h *httpCase, r request) []byte {
			text, err := json.Marshal(r.message["uri"])
			must(t, err)
			return []byte(strings.Replace(string(message(t, w, h, r)), string(text), `"/quotes/`+"\xff"+`"`, 1))
		},
	}
}
