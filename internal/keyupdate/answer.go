package keyupdate

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// failure is the body of a decline, and of an update of a batch that was declined.
type failure struct {
	Result           string      `json:"result"`
	ErrorInformation information `json:"errorInformation"`
	RequestID        string      `json:"requestId"`
	// Message is the whole public text, which errorDescription cuts.
	Message string `json:"message"`
}

// information is FSPIOP's errorInformation (API Definition v1.1, section 7.4.2).
type information struct {
	ErrorCode        string `json:"errorCode"`
	ErrorDescription string `json:"errorDescription"`
	ExtensionList    struct {
		Extension []extension `json:"extension"`
	} `json:"extensionList"`
}

type extension struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func newInformation(i *cpmv1.ErrorInformation) information {
	var out information
	out.ErrorCode, out.ErrorDescription = i.GetErrorCode(), i.GetErrorDescription()
	for _, e := range i.GetExtensionList().GetExtension() {
		out.ExtensionList.Extension = append(out.ExtensionList.Extension, extension{e.GetKey(), e.GetValue()})
	}
	return out
}

// batchAnswer has a Result or a failure for each update, in their order.
type batchAnswer struct {
	Updates []any `json:"updates"`
}

func (x *exchange) failure(e *fault.Error) failure {
	return failure{Result: "failed", ErrorInformation: newInformation(e.Information()), RequestID: x.id, Message: e.Public}
}

// reject declines what is no key update at all, and counts and logs it as that.
func (x *exchange) reject(err error) {
	e := fault.From(err)
	if e.Kind == fault.Busy {
		x.decline(err)
		return
	}
	x.adapter.counts.add("", invalid)
	x.adapter.log.LogAttrs(x.r.Context(), slog.LevelWarn, "what was sent is no key update", obs.Event("keyupdate.invalid"),
		obs.RequestID(x.id), x.caller(), obs.Kind(e.Kind), obs.Err(e))
	x.send(e)
}

// decline refuses without a look at what it is: the adapter is not Active, or it is too much.
func (x *exchange) decline(err error) {
	e := fault.From(err)
	x.adapter.counts.add("", failed)
	level := slog.LevelWarn
	if x.quiet {
		level = slog.LevelDebug
	}
	x.adapter.log.LogAttrs(x.r.Context(), level, "request declined", obs.Event("keyupdate.declined"), obs.RequestID(x.id),
		x.caller(), obs.Kind(e.Kind), obs.Err(e))
	x.send(e)
}

// send answers with a fault that is counted and logged already.
func (x *exchange) send(err error) {
	e := fault.From(err)
	body, status := x.failure(e), e.Kind.Code().HTTP
	if x.allow != "" {
		x.w.Header().Set("Allow", x.allow)
		body.ErrorInformation.ErrorCode, status = "3000", http.StatusMethodNotAllowed
		body.ErrorInformation.ErrorDescription = "Generic client error - " + e.Public
	}
	if e.RetryAfter > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	x.answer(status, body)
}

func (x *exchange) answer(status int, body any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // texts, numbers and JSON that was checked
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(text.Len()))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Request-Id", x.id)
	x.w.WriteHeader(status)
	_, _ = x.w.Write(text.Bytes())
}
