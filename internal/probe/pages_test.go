package probe_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/probe"
)

// health is what a test says of the CPM.
type health struct {
	live, ready, started error
	services             []probe.Service
}

func (h health) Live() error               { return h.live }
func (h health) Ready() error              { return h.ready }
func (h health) Started() error            { return h.started }
func (h health) Services() []probe.Service { return h.services }

func config(h probe.Health, log io.Writer) probe.Config {
	start := time.Date(2026, 11, 21, 23, 0, 0, 5_000_000, time.FixedZone("", 3600))
	return probe.Config{
		Health:   h,
		Registry: obs.NewMetrics(obs.Build{Version: "1.2.3"}).Registry,
		Version:  "1.2.3",
		Start:    start,
		Now:      func() time.Time { return start.Add(90*time.Second + 1234567*time.Nanosecond) },
		Log:      obs.NewLogger(log, "json", obs.LevelInfo),
	}
}

func get(t *testing.T, d http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w
}

func TestProbesAnswerForThemselves(t *testing.T) {
	t.Parallel()
	draining := fault.New(fault.Unavailable, "draining")
	for name, test := range map[string]struct {
		health health
		want   string // of livez, readyz, startupz
	}{
		"all good":    {health{}, "200 ok 200 ok 200 ok"},
		"starting":    {health{ready: draining, started: fault.New(fault.Unavailable, "starting")}, "200 ok 503 draining 503 starting"},
		"not live":    {health{live: fault.New(fault.Internal, "stuck")}, "503 stuck 200 ok 200 ok"},
		"other error": {health{live: errors.New("dial tcp 10.0.0.1: password hunter2")}, "503 internal error, see the log 200 ok 200 ok"},
		"with cause":  {health{live: fault.New(fault.Device, "no device").Because(errors.New("hunter2"))}, "503 no device 200 ok 200 ok"},
		"many lines":  {health{live: fault.New(fault.Invalid, "a\nb\r\x1b[2J\u2028c")}, "503 a b  [2J c 200 ok 200 ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := probe.New(config(test.health, io.Discard))
			var got []string
			for _, path := range []string{"/livez", "/readyz", "/startupz"} {
				r := get(t, d, http.MethodGet, path)
				text, end := strings.CutSuffix(r.Body.String(), "\n")
				if !end || r.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
					t.Errorf("%s: %q, %v", path, text, r.Header())
				}
				got = append(got, strconv.Itoa(r.Code)+" "+text)
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got  %s\nwant %s", s, test.want)
			}
		})
	}
}

func TestAReasonIsShort(t *testing.T) {
	t.Parallel()
	d := probe.New(config(health{live: fault.New(fault.Internal, "%s", "x"+strings.Repeat("é", 500))}, io.Discard))
	if got := get(t, d, http.MethodGet, "/livez").Body.String(); len(got) != 199+1 || strings.Contains(got, "\uFFFD") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestTheHealthPageHasMojaloopsShape(t *testing.T) {
	t.Parallel()
	up, down := probe.Service{Name: "datastore", OK: true}, probe.Service{Name: "ssm"}
	head, tail := `{"status":"`, `","uptime":90.001,"startTime":"2026-11-21T22:00:00.005Z","versionNumber":"1.2.3","services":`
	for name, test := range map[string]struct {
		health health
		status int
		want   string
	}{
		"all good":        {health{services: []probe.Service{up}}, 200, head + "OK" + tail + `[{"name":"datastore","status":"OK"}]}`},
		"no services":     {health{}, 200, head + "OK" + tail + `[]}`},
		"a service down":  {health{services: []probe.Service{up, down}}, 502, head + "DOWN" + tail + `[{"name":"datastore","status":"OK"},{"name":"ssm","status":"DOWN"}]}`},
		"not ready":       {health{ready: errors.New("no"), services: []probe.Service{up}}, 502, head + "DOWN" + tail + `[{"name":"datastore","status":"OK"}]}`},
		"started not":     {health{started: errors.New("no")}, 200, head + "OK" + tail + `[]}`},
		"a name of marks": {health{services: []probe.Service{{Name: "a\"\n", OK: true}}}, 200, head + "OK" + tail + `[{"name":"a\"\n","status":"OK"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := get(t, probe.New(config(test.health, io.Discard)), http.MethodGet, "/health")
			text := r.Body.String()
			if r.Code != test.status || r.Header().Get("Content-Type") != "application/json; charset=utf-8" || !json.Valid([]byte(text)) {
				t.Errorf("%d %v", r.Code, r.Header())
			}
			if diff := cmp.Diff(test.want, text); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheClockIsTheSystemsUnlessGiven(t *testing.T) {
	t.Parallel()
	c := config(health{}, io.Discard)
	c.Now, c.Start = nil, time.Now().Add(-time.Hour)
	var page struct{ Uptime float64 }
	if err := json.NewDecoder(get(t, probe.New(c), http.MethodGet, "/health").Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	if page.Uptime < 3600 {
		t.Errorf("up for %v s", page.Uptime)
	}
}

func TestMetricsAreShown(t *testing.T) {
	t.Parallel()
	r := get(t, probe.New(config(health{}, io.Discard)), http.MethodGet, "/metrics")
	if text := r.Body.String(); r.Code != 200 || !strings.Contains(text, `cpm_build_info{`) || !strings.Contains(text, "go_goroutines") {
		t.Errorf("%d\n%s", r.Code, text)
	}
}

func TestACollectorThatFailsCostsItsOwnMetricsOnly(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := config(health{}, &log)
	r := prometheus.NewRegistry()
	desc := prometheus.NewDesc("cpm_broken", "Broken.", nil, nil)
	r.MustRegister(failing{prometheus.NewInvalidMetric(desc, errors.New("boom"))}, prometheus.NewGauge(prometheus.GaugeOpts{Name: "cpm_good", Help: "Good."}))
	c.Registry = r
	resp := get(t, probe.New(c), http.MethodGet, "/metrics")
	if text := resp.Body.String(); resp.Code != 200 || !strings.Contains(text, "cpm_good 0") || strings.Contains(text, "boom") {
		t.Errorf("%d\n%s", resp.Code, text)
	}
	if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), `"component":"probe"`) {
		t.Errorf("log: %s", log.String())
	}
}

type failing struct{ m prometheus.Metric }

func (f failing) Describe(ch chan<- *prometheus.Desc) { ch <- f.m.Desc() }
func (f failing) Collect(ch chan<- prometheus.Metric) { ch <- f.m }

func TestNothingElseIsAnswered(t *testing.T) {
	t.Parallel()
	d := probe.New(config(health{}, io.Discard))
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{http.MethodHead, "/livez", 200},
		{http.MethodPost, "/livez", 405},
		{http.MethodDelete, "/metrics", 405},
		{http.MethodGet, "/", 404},
		{http.MethodGet, "/livez/x", 404},
		{http.MethodGet, "/debug/pprof/", 404},
		{http.MethodGet, "/hunter2", 404},
	} {
		r := get(t, d, test.method, test.path)
		if r.Code != test.status || strings.Contains(r.Body.String(), "hunter2") {
			t.Errorf("%s %s: %d", test.method, test.path, r.Code)
		}
		if r.Header().Get("Cache-Control") != "no-store" || r.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %v", test.method, test.path, r.Header())
		}
	}
}
