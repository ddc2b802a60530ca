package keyupdate

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// Result is the answer to a key update that a core has done.
type Result struct {
	// Result is "success", or "failed" when the core says so.
	Result  string `json:"result"`
	FSP     string `json:"fsp"`
	Name    string `json:"name"`
	Version uint32 `json:"version"`
}

// ImportKey is a public key that a private or secret key on its way in is sealed to, and until when.
type ImportKey struct {
	ID      string          `json:"id"`
	JWK     json.RawMessage `json:"jwk"`
	Expires time.Time       `json:"expires"`
}

// perform does one key update: it is checked to be one, and forwarded (specification, "Key Update Adapter", steps 5 to 8).
func (x *exchange) perform(jws []byte) (Result, error) {
	a, ctx := x.adapter, x.r.Context()
	action, err := readAction(jws)
	if err != nil {
		a.counts.add("", invalid)
		a.log.LogAttrs(ctx, slog.LevelWarn, "what was sent is no key update", obs.Event("keyupdate.invalid"), obs.RequestID(x.id),
			x.caller(), obs.Kind(fault.From(err).Kind), obs.Err(err))
		return Result{}, err
	}
	var reply cpmv1.KeyUpdateReply
	if err = x.ask(cpm.AskKeyUpdate, &cpmv1.KeyUpdateAsk{Credential: x.credential(), Jws: jws}, &reply); err != nil {
		a.counts.add(string(action), failed)
		a.log.LogAttrs(ctx, slog.LevelWarn, "the key update failed", obs.Event("keyupdate.failed"), obs.RequestID(x.id), x.caller(),
			slog.String("action", string(action)), obs.Kind(fault.From(err).Kind), obs.Err(err))
		return Result{}, err
	}
	how := success
	if reply.GetResult() != "success" {
		how = failed
	}
	a.counts.add(string(action), how)
	a.log.LogAttrs(ctx, slog.LevelInfo, "the key update is answered", obs.Event("keyupdate.answered"), obs.RequestID(x.id), x.caller(),
		slog.String("action", string(action)), obs.FSP(reply.GetFsp()), obs.Kid(reply.GetName()), obs.Outcome(reply.GetResult()))
	return Result{Result: reply.GetResult(), FSP: reply.GetFsp(), Name: reply.GetName(), Version: reply.GetVersion()}, nil
}

// importKey fetches a key to seal to.
func (x *exchange) importKey() {
	fsp := cpm.FSP(x.r.URL.Query().Get("fsp"))
	if !fsp.Valid() {
		x.reject(fault.New(fault.Missing, "name the FSP: %s?fsp=NAME", PathImportKey))
		return
	}
	var reply cpmv1.ImportKeyReply
	err := x.ask(cpm.AskImportKey, &cpmv1.ImportKeyAsk{Credential: x.credential(), Fsp: string(fsp)}, &reply)
	if err == nil && !json.Valid(reply.GetJwk()) {
		err = fault.New(fault.Device, "the answer of the CPM cannot be used")
	}
	if err != nil {
		x.adapter.counts.add(string(cpm.AskImportKey), failed)
		x.send(err)
		return
	}
	x.adapter.counts.add(string(cpm.AskImportKey), success)
	x.answer(http.StatusOK, ImportKey{
		ID: reply.GetId(), JWK: reply.GetJwk(), Expires: time.UnixMilli(reply.GetExpiresUnixMs()).UTC(),
	})
}

// ask has a core do it. The caller may leave meanwhile; the update is completed all the same, and counted.
func (x *exchange) ask(op cpm.Operation, question, answer proto.Message) error {
	payload, err := proto.Marshal(question)
	if err != nil {
		return fault.New(fault.Invalid, "the request cannot be forwarded").Because(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), x.adapter.setup.load().askTimeout())
	defer cancel()
	text, err := x.adapter.ask(ctx, op, x.id, payload)
	if err == nil {
		if err = proto.Unmarshal(text, answer); err != nil {
			err = cpm.ErrLinkLost
		}
	}
	if err != nil && op == cpm.AskKeyUpdate && doubtful(ctx, err) {
		return fault.New(fault.OutcomeUnknown,
			"the update may have been done or not; send the same again, one that was done changes nothing").Because(err)
	}
	return err
}

// caller is where a request came from, for the log.
func (x *exchange) caller() slog.Attr { return slog.String("address", x.address().String()) }
