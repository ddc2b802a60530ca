package probe

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// maxReason bounds the line of a probe that fails, in bytes.
const maxReason = 200

// probe answers 200 "ok", or 503 and the reason.
func (d *Door) probe(check func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status, text := http.StatusOK, "ok"
		if err := check(); err != nil {
			status, text = http.StatusServiceUnavailable, reason(err)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text + "\n"))
	})
}

// reason is what may be said of an error to anybody: its public text if it has one, in one short line.
func reason(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return "internal error, see the log"
	}
	line := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, f.Public)
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "")
	}
	return line
}

// The health page of Mojaloop's services (central-services-shared, HealthCheck).
type healthPage struct {
	Status        string        `json:"status"`
	Uptime        float64       `json:"uptime"` // seconds
	StartTime     string        `json:"startTime"`
	VersionNumber string        `json:"versionNumber"`
	Services      []serviceLine `json:"services"`
}

type serviceLine struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

// health answers 200 with status OK, or 502 with status DOWN when the CPM is not ready or any of its services is not.
func (d *Door) health(w http.ResponseWriter, _ *http.Request) {
	ok := d.c.Health.Ready() == nil
	page := healthPage{
		Uptime:        d.c.Now().Sub(d.c.Start).Round(time.Millisecond).Seconds(),
		StartTime:     d.c.Start.UTC().Format("2006-01-02T15:04:05.000Z"),
		VersionNumber: d.c.Version,
		Services:      []serviceLine{},
	}
	for _, s := range d.c.Health.Services() {
		page.Services = append(page.Services, serviceLine{s.Name, word(s.OK)})
		ok = ok && s.OK
	}
	page.Status = word(ok)
	body, err := json.Marshal(page)
	if err != nil {
		http.Error(w, "internal error, see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if !ok {
		w.WriteHeader(http.StatusBadGateway)
	}
	_, _ = w.Write(body)
}

func word(ok bool) string {
	if ok {
		return "OK"
	}
	return "DOWN"
}

// metrics shows the registry. One collector that fails costs its own metrics, not the page.
func (d *Door) metrics() http.Handler {
	return promhttp.HandlerFor(d.c.Registry, promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{d.c.Log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
		EnableOpenMetrics:   true,
	})
}

// scrapeLog takes what the metrics handler has to say.
type scrapeLog struct{ log *slog.Logger }

// Println logs the errors among v.
func (l scrapeLog) Println(v ...any) {
	for _, x := range v {
		if err, ok := x.(error); ok {
			l.log.Warn("metrics could not be gathered", obs.Component("probe"), obs.Event("probe.metrics-failed"), obs.Err(err)) //nolint:sloglint // the library's interface has no context
		}
	}
}
