package core_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

func TestPlanEncryptsSignsVerifiesAndDecryptsStepByStep(t *testing.T) {
	t.Parallel()
	r, jwe := planned(t)
	p := r.protect(r.protectRequest("/quotes", quote))
	want := `{"note":"hi","payee":{"partyIdInfo":{"fspId":"payeefsp","partyIdentifier":"sealed for payeefsp: \"123\""}},` +
		`"payer":"sealed for payeefsp: {\"name\":\"Mats\"}"}`
	if diff := cmp.Diff(want, p.GetBody()); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	fields := []string{"payee.partyIdInfo.partyIdentifier", "payer"}
	if diff := cmp.Diff(fields, p.GetFields()); diff != "" || p.GetHeaders()["fspiop-encryption"] != strings.Join(fields, " ") {
		t.Errorf("fields %s, headers %v", diff, p.GetHeaders())
	}
	if p.GetKey().GetName() != "jws" || p.GetEncryptionKey().GetName() != "enc" || p.GetAlgorithm() != "ES256" {
		t.Errorf("got %v", p)
	}
	o := r.openMessage(r.openRequest("/quotes", p))
	if !o.GetValid() || o.GetBody() != quote || o.GetForm() != "raw" || o.GetKey().GetName() != "jws" || o.GetEncryptionKey().GetName() != "enc" {
		t.Errorf("got %v", o)
	}
	if diff := cmp.Diff(fields, o.GetFields()); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}

	asked := jwe.requests()
	if len(asked) != 2 || asked[0].ID != "r-encrypt" || asked[1].ID != "r-decrypt" || asked[0].FSP != "payeefsp" || asked[0].Caller != caller {
		t.Errorf("asked of the adapter: %v", asked)
	}
	if e := asked[0].Payload.Message.(*cpmv1.JweEncryptRequest); e.GetEncryption() != "A256GCM" {
		t.Errorf("encrypted with %s", e.GetEncryption())
	}
	counts := []obs.Count{
		{Operation: "jwe.decrypt", FSP: "payeefsp", Adapter: "jwe1", Success: 1},
		{Operation: "jwe.encrypt", FSP: "payeefsp", Adapter: "jwe1", Success: 1},
		{Operation: "jws.sign", FSP: "payerfsp", Adapter: "ssm1", Success: 1},
		{Operation: "jws.verify", FSP: "payerfsp", Adapter: "ssm1", Success: 1},
		{Operation: "message.open", FSP: "payeefsp", Success: 1},
		{Operation: "message.protect", FSP: "payerfsp", Success: 1},
	}
	if diff := cmp.Diff(counts, r.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestPlanKeepsBytesBytes(t *testing.T) {
	t.Parallel()
	r, _ := planned(t)
	q := r.protectRequest("/quotes", "")
	q.Payload.Message.(*cpmv1.MessageProtectRequest).Content = &cpmv1.MessageProtectRequest_BodyBase64{BodyBase64: []byte(quote)}
	p := r.protect(q)
	if p.GetBody() != "" || !strings.Contains(string(p.GetBodyBase64()), "sealed for payeefsp") {
		t.Errorf("got %v", p)
	}
	h := headers("payerfsp")
	maps.Copy(h, p.GetHeaders())
	o := r.openMessage(r.request("payeefsp", cpm.MessageOpen, &cpmv1.MessageOpenRequest{
		Method: "POST", Uri: "/quotes", Headers: h, Content: &cpmv1.MessageOpenRequest_BodyBase64{BodyBase64: p.GetBodyBase64()},
	}))
	if !o.GetValid() || o.GetBody() != "" || string(o.GetBodyBase64()) != quote {
		t.Errorf("got %v", o)
	}
}

func TestProtectDeclinesWhatItCannotProtect(t *testing.T) {
	t.Parallel()
	r, jwe := planned(t)
	for name, c := range map[string]struct {
		change func(q *cpmv1.MessageProtectRequest)
		kind   fault.Kind
	}{
		"no destination":    {func(q *cpmv1.MessageProtectRequest) { delete(q.Headers, "fspiop-destination") }, fault.Missing},
		"encrypted already": {func(q *cpmv1.MessageProtectRequest) { q.Headers["FSPIOP-Encryption"] = "{}" }, fault.Invalid},
		"not JSON":          {func(q *cpmv1.MessageProtectRequest) { q.Content = &cpmv1.MessageProtectRequest_Body{Body: "{"} }, fault.Invalid},
		"no body":           {func(q *cpmv1.MessageProtectRequest) { q.Content = nil }, fault.Missing},
		"ambiguous": {func(q *cpmv1.MessageProtectRequest) {
			q.Content = &cpmv1.MessageProtectRequest_Body{Body: `{"payer":1,"payer":2}`}
			q.Form = "raw"
		}, fault.Invalid},
		"into an array": {func(q *cpmv1.MessageProtectRequest) {
			q.Content = &cpmv1.MessageProtectRequest_Body{Body: `{"payee":{"partyIdInfo":[{"partyIdentifier":"1"}]}}`}
		}, fault.Invalid},
		"required field missing": {func(q *cpmv1.MessageProtectRequest) { q.Uri = "/fxQuotes" }, fault.Missing},
		"unknown recipient": {func(q *cpmv1.MessageProtectRequest) {
			q.Uri, q.Headers["fspiop-destination"], q.Content = "/fxQuotes", "nobody", &cpmv1.MessageProtectRequest_Body{Body: `{"a":1}`}
		}, fault.NotFound},
		"recipient without key": {func(q *cpmv1.MessageProtectRequest) {
			q.Uri, q.Headers["fspiop-destination"], q.Content = "/fxQuotes", "payerfsp", &cpmv1.MessageProtectRequest_Body{Body: `{"a":1}`}
		}, fault.NotFound},
		"another source": {func(q *cpmv1.MessageProtectRequest) { q.Headers["fspiop-source"] = "payeefsp" }, fault.Invalid},
	} {
		q := r.protectRequest("/quotes", quote)
		c.change(q.Payload.Message.(*cpmv1.MessageProtectRequest))
		if _, err := r.Process(t.Context(), q); err == nil {
			t.Errorf("%s: not declined", name)
		} else {
			kind(t, err, c.kind)
		}
	}
	if n := len(jwe.requests()); n != 1 { // the last one, before signing declined it
		t.Errorf("%d requests to encrypt", n)
	}
}

func TestPlanNeedsTheGrantsOfItsSteps(t *testing.T) {
	t.Parallel()
	without := func(f, o string) func(*core.Document) {
		return func(d *core.Document) {
			var kept []core.GrantEntry
			for _, g := range d.Grants {
				for _, op := range g.Operations {
					if g.FSP == "*" {
						op = "jwe.encrypt"
						if o == op {
							continue
						}
						kept = append(kept, core.GrantEntry{Principal: g.Principal, FSP: "*", Operations: []string{"jws.verify"}})
					}
					if g.FSP != f || op != o {
						kept = append(kept, core.GrantEntry{Principal: g.Principal, FSP: g.FSP, Operations: []string{op}})
					}
				}
			}
			d.Grants = kept
		}
	}
	for _, c := range []struct{ fsp, operation string }{{"payerfsp", "message.protect"}, {"payerfsp", "jws.sign"}, {"*", "jwe.encrypt"}} {
		r, _ := planned(t, without(c.fsp, c.operation))
		_, err := r.Process(t.Context(), r.protectRequest("/quotes", quote))
		kind(t, err, fault.Denied)
	}
	for _, c := range []struct{ fsp, operation string }{{"payeefsp", "message.open"}, {"payeefsp", "jwe.decrypt"}} {
		r, _ := planned(t, without(c.fsp, c.operation))
		p := r.protect(r.protectRequest("/quotes", quote))
		_, err := r.Process(t.Context(), r.openRequest("/quotes", p))
		kind(t, err, fault.Denied)
	}
}

func TestOpenGivesNoBodyBackWithoutAValidSignature(t *testing.T) {
	t.Parallel()
	r, jwe := planned(t)
	p := r.protect(r.protectRequest("/quotes", quote))
	for reason, change := range map[string]func(q *cpmv1.MessageOpenRequest){
		"signature-mismatch":   func(q *cpmv1.MessageOpenRequest) { q.Content = &cpmv1.MessageOpenRequest_Body{Body: quote} },
		"encryption-mismatch":  func(q *cpmv1.MessageOpenRequest) { delete(q.Headers, "fspiop-encryption") },
		"destination-mismatch": func(q *cpmv1.MessageOpenRequest) { q.Headers["fspiop-destination"] = "payerfsp" },
		"signature-missing":    func(q *cpmv1.MessageOpenRequest) { delete(q.Headers, "fspiop-signature") },
		"uri-mismatch":         func(q *cpmv1.MessageOpenRequest) { q.Uri = "/transfers" },
	} {
		q := r.openRequest("/quotes", p)
		change(q.Payload.Message.(*cpmv1.MessageOpenRequest))
		o := r.openMessage(q)
		if o.Valid == nil || o.GetValid() || o.GetReason() != reason || o.GetErrorInformation().GetErrorCode() != "3105" || o.GetContent() != nil {
			t.Errorf("%s: got %v", reason, o)
		}
		if n := len(r.events("signature.refused")); n == 0 {
			t.Errorf("%s: not logged", reason)
		}
	}
	if n := len(jwe.requests()); n != 1 {
		t.Errorf("%d requests, one to encrypt was made", n)
	}
	q := r.openRequest("/quotes", p)
	delete(q.Payload.Message.(*cpmv1.MessageOpenRequest).Headers, "fspiop-source")
	_, err := r.Process(t.Context(), q)
	kind(t, err, fault.Missing)
}

func TestOpenRefusesReplaysButNotWhatGotNoAnswer(t *testing.T) {
	t.Parallel()
	r, jwe := planned(t, func(d *core.Document) { d.FSPs[0].Policy.ReplayWindow = core.Duration(time.Minute) })
	p := r.protect(r.protectRequest("/quotes", quote))
	refused := fault.New(fault.Refused, "constant")
	jwe.failing(refused)
	_, err := r.Process(t.Context(), r.openRequest("/quotes", p))
	kind(t, err, fault.Refused)
	if fault.From(err).Public != "constant" {
		t.Errorf("got %v", err)
	}
	jwe.failing(nil)
	if o := r.openMessage(r.openRequest("/quotes", p)); !o.GetValid() {
		t.Errorf("after a failure: %v", o)
	}
	if o := r.openMessage(r.openRequest("/quotes", p)); o.GetReason() != "replayed" || o.GetContent() != nil {
		t.Errorf("again: %v", o)
	}
	r.pass(2 * time.Minute)
	if o := r.openMessage(r.openRequest("/quotes", p)); !o.GetValid() {
		t.Errorf("after the window: %v", o)
	}
}

func TestStepsHaveOneDeadlineFromTheArrival(t *testing.T) {
	t.Parallel()
	r, _ := planned(t)
	q := r.protectRequest("/quotes", quote)
	q.Arrival = time.Now().Add(-time.Minute)
	_, err := r.Process(t.Context(), q)
	kind(t, err, fault.Timeout)
	declined := r.logged("request.declined")
	if len(declined) != 2 || declined[0]["requestId"] != "r-encrypt" || declined[1]["requestId"] != "r" {
		t.Errorf("logged %v", declined)
	}
}

func TestBusyStepIsOneShedRequest(t *testing.T) {
	t.Parallel()
	r, jwe := planned(t)
	jwe.failing(fault.New(fault.Busy, "full").After(time.Second))
	_, err := r.Process(t.Context(), r.protectRequest("/quotes", quote))
	kind(t, err, fault.Busy)
	var shed, failed uint64
	for _, n := range r.Sheds() {
		shed += n
	}
	for _, n := range r.Counts() {
		failed += n.Failed
	}
	if shed != 1 || failed != 2 || fault.From(err).RetryAfter != time.Second {
		t.Errorf("%d shed, %d failed, %v", shed, failed, err)
	}
}

func TestPlanIsForKnownFSPsInService(t *testing.T) {
	t.Parallel()
	r, _ := planned(t)
	q := r.protectRequest("/quotes", quote)
	q.Payload = cpm.Payload{Message: &cpmv1.MessageOpenRequest{}}
	_, err := r.Process(t.Context(), q)
	kind(t, err, fault.Invalid)
	if trial := r.Try("payerfsp", cpm.MessageProtect); trial.Verdict != "invalid" || trial.Adapter != "" {
		t.Errorf("a trial says %+v", trial)
	}
	r.mustChange("fsp.suspend", "payerfsp", nil)
	_, err = r.Process(t.Context(), r.protectRequest("/quotes", quote))
	kind(t, err, fault.State)
}

// A plan reads the message before its first step does, so it has its bytes from the beginning, and gives them back.
func TestAPlanTakesItsBytes(t *testing.T) {
	t.Parallel()
	r, jwe := planned(t)
	q := r.protectRequest("/quotes", quote)
	q.Size = 2 << 20 // all requests have 1 MiB
	_, err := r.Process(t.Context(), q)
	kind(t, err, fault.Busy)
	if n := len(jwe.requests()); n != 0 || r.Sheds()["bytes"] != 1 {
		t.Errorf("%d steps, sheds %v", n, r.Sheds())
	}
	q.Size = 900 << 10
	for range 2 {
		r.protect(q)
	}
}
