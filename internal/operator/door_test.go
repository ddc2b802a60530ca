package operator

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/spec"
)

func TestACommandIsForwardedAsItCameAndAnswered(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, name := range cpm.Commands() {
		r := s.command(s.client("ops1.example", "ops.example"), `{"command":"`+string(name)+`","adapter":"ssm1"}`)
		want := Answer{Result: Success, Adapters: []AdapterState{{"ssm1", "Active", "Active"}}}
		if diff := cmp.Diff(want, r.answer(t)); diff != "" {
			t.Error(diff)
		}
		if r.header.Get("X-Request-Id") == "" || r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" {
			t.Error(r.header)
		}
	}
	var want []*cpmv1.CommandAsk
	for _, name := range cpm.Commands() {
		want = append(want, &cpmv1.CommandAsk{
			Command: string(name), Adapter: "ssm1",
			Credential: &cpmv1.Credential{CertificateNames: []string{"ops1.example", "ops.example"}, Address: "127.0.0.1"},
		})
	}
	if diff := cmp.Diff(want, s.core.asked(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"adapter.active", "command.received", "command.forwarded", "command.answered"}, s.log.events(t)[:4]); diff != "" {
		t.Error(diff)
	}
	for name, n := range s.Status().Counts {
		if n != (cpm.Outcomes{Success: 1}) {
			t.Errorf("%s: %+v", name, n)
		}
	}
	spec.Covers(t, "CMA-2-log", "CMA-3", "CMA-4", "CMA-8", "FMT-4")
}

func TestATokenStandsForACertificate(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	r := s.request(http.MethodPost, Path, `{"command":"Status"}`)
	r.Header.Set("Authorization", "bearer cpm_0011223344556677_c2VjcmV0")
	// Whoever wants to look like another address can write such a header, so nobody looks at it.
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	r.Header.Set("Forwarded", "for=192.0.2.1")
	s.core.reply = func(*cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
		return &cpmv1.CommandReply{Result: "success", Status: []byte(`{"state":"Active"}`)}, nil
	}
	if got := s.send(s.client(), r); got.body != `{"result":"success","adapters":[],"status":{"state":"Active"}}`+"\n" {
		t.Error(got)
	}
	want := []*cpmv1.CommandAsk{{Command: "Status", Credential: &cpmv1.Credential{Token: "cpm_0011223344556677_c2VjcmV0", Address: "127.0.0.1"}}}
	if diff := cmp.Diff(want, s.core.asked(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(s.log.String(), "c2VjcmV0") {
		t.Error("the token is in the log")
	}
}

func TestWhatTheCoreSaysIsTheAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply  *cpmv1.CommandReply
		err    error
		status int
		want   string
	}{
		"failed":            {reply: &cpmv1.CommandReply{Result: "failed", Reason: "ssm1 did not answer"}, status: 200, want: "ssm1 did not answer"},
		"unknown adapter":   {err: fault.New(fault.NotFound, "there is no such adapter"), status: 404, want: "not-found"},
		"wrong state":       {err: fault.New(fault.State, "the adapter is not stopped"), status: 409, want: "state"},
		"not allowed":       {err: fault.New(fault.Denied, "the group may not"), status: 403, want: "denied"},
		"unknown user":      {err: fault.New(fault.Unauthenticated, "nobody"), status: 401, want: "unauthenticated"},
		"sealed":            {err: fault.New(fault.Sealed, "sealed"), status: 503, want: "sealed"},
		"no result":         {reply: &cpmv1.CommandReply{}, status: 500, want: "internal"},
		"status is no JSON": {reply: &cpmv1.CommandReply{Result: "success", Status: []byte("{")}, status: 500, want: "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, nil)
			s.core.reply = func(*cpmv1.CommandAsk) (*cpmv1.CommandReply, error) { return test.reply, test.err }
			r := s.command(s.client("ops1.example"), `{"command":"Startup","adapter":"ssm1"}`)
			if r.status != test.status || !strings.Contains(r.body, test.want) {
				t.Errorf("%d %s", r.status, r.body)
			}
			if r.status != 200 && r.kind(t) != test.want {
				t.Error(r.body)
			}
			if (r.status == 401) != (r.header.Get("WWW-Authenticate") != "") {
				t.Error(r.header)
			}
			if n := s.Status().Counts["Startup"]; n != (cpm.Outcomes{Failed: 1}) {
				t.Errorf("%+v", n)
			}
		})
	}
}

func TestWhatIsNoCommandIsDeclinedLoggedAndCounted(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config) { c.Limits.Address.Burst, c.Limits.Identity.Burst = 1000, 1000 })
	client := s.client("ops1.example")
	bodies := map[string]string{
		"":                     "invalid",
		"null":                 "invalid",
		"[]":                   "invalid",
		`"Status"`:             "invalid",
		"{}":                   "missing",
		`{"adapter":"ssm1"}`:   "missing",
		`{"command":"Reboot"}`: "invalid",
		`{"command":"status"}`: "invalid",
		`{"command":7}`:        "invalid",
		`{"command":null}`:     "invalid",
		`{"command":"Status","command":"Status"}`:                           "invalid",
		`{"command":"Status","Command":"Status"}`:                           "invalid",
		`{"command":"Status","adapter":""}`:                                 "invalid",
		`{"command":"Status","adapter":"a/b"}`:                              "invalid",
		`{"command":"Status","adapter":["a"]}`:                              "invalid",
		`{"command":"Status","force":true}`:                                 "invalid",
		`{"command":"Status"} {}`:                                           "invalid",
		`{"command":"Status","adapter":"` + strings.Repeat("a", 129) + `"}`: "invalid",
		`{"command":"Status"` + strings.Repeat(" ", 16<<10) + `}`:           "too-large",
	}
	for body, kind := range bodies {
		r := s.command(client, body)
		if r.kind(t) != kind || r.status != 400 && r.status != 413 {
			t.Errorf("%.60q: %d %s", body, r.status, r.body)
		}
	}
	events := s.log.events(t)
	if n := len(slices.DeleteFunc(events, func(e string) bool { return e != "command.invalid" })); n != len(bodies) {
		t.Errorf("%d lines in the log", n)
	}
	if n := s.Status().Counts[""]; n != (cpm.Outcomes{Invalid: uint64(len(bodies))}) || len(s.core.asked()) != 0 {
		t.Errorf("%+v, %d forwarded", n, len(s.core.asked()))
	}
	if strings.Contains(s.log.String(), "Reboot") {
		t.Error("the log repeats what a caller wrote")
	}
	spec.Covers(t, "CMA-2", "CMA-8")
}

func TestWhatIsNoRequestForACommandIsDeclined(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config) { c.Limits.Refusals = 100 })
	client := s.client("ops1.example")
	edit := func(f func(*http.Request)) *http.Request {
		r := s.request(http.MethodPost, Path, `{"command":"Status"}`)
		f(r)
		return r
	}
	for name, test := range map[string]struct {
		client *http.Client
		r      *http.Request
		status int
	}{
		"another path":    {client, s.request(http.MethodPost, "/v1/command", "{}"), 404},
		"the path below":  {client, s.request(http.MethodPost, Path+"/", "{}"), 404},
		"another method":  {client, s.request(http.MethodGet, Path, ""), 405},
		"a form":          {client, edit(func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }), 400},
		"no credential":   {s.client(), edit(func(*http.Request) {}), 401},
		"no name":         {s.client("*"), edit(func(*http.Request) {}), 401},
		"basic":           {client, edit(func(r *http.Request) { r.SetBasicAuth("a", "b") }), 401},
		"an empty token":  {client, edit(func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }), 401},
		"two tokens":      {client, edit(func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer a", "Bearer b"} }), 401},
		"a long token":    {client, edit(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("a", 257)) }), 401},
		"a strange token": {client, edit(func(r *http.Request) { r.Header.Set("Authorization", "Bearer a b") }), 401},
	} {
		got := s.send(test.client, test.r)
		if got.status != test.status {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		got.kind(t)
		if (got.status == 405) != (got.header.Get("Allow") == "POST") {
			t.Error(name, got.header)
		}
	}
	if len(s.core.asked()) != 0 {
		t.Error("something was forwarded")
	}
}

func TestCertificatesOfOthersAndOldTLSAreRefused(t *testing.T) {
	t.Parallel()
	s, other := serve(t, nil), serve(t, nil)
	for name, c := range map[string]*tls.Config{
		"another authority": {RootCAs: s.authority.Pool(), ServerName: "cmd1.example", Certificates: []tls.Certificate{other.issue("ops1.example")}},
		"TLS 1.2":           {RootCAs: s.authority.Pool(), ServerName: "cmd1.example", MaxVersion: tls.VersionTLS12},
	} {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
		if answer, err := client.Do(s.request(http.MethodPost, Path, `{"command":"Status"}`)); err == nil {
			_ = answer.Body.Close()
			t.Errorf("%s: %d", name, answer.StatusCode)
		}
	}
	if _, err := harden(&tls.Config{}); err == nil {
		t.Error("a door that would take any public certificate")
	}
}

func TestSeveralCoresAnswerAsOne(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	second := &fakeCore{reply: func(*cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
		return &cpmv1.CommandReply{Result: "success", Replica: "cpm-b"}, nil
	}}
	s.Core("core2.example:7802").Bind(second)
	client := s.client("ops1.example")

	a := s.command(client, `{"command":"RefreshKeys"}`).answer(t)
	want := []Replica{
		{Replica: "cpm-a", Result: Success, Adapters: []AdapterState{{"ssm1", "Active", "Active"}}},
		{Replica: "cpm-b", Result: Success, Adapters: []AdapterState{}},
	}
	if diff := cmp.Diff(Answer{Result: Success, Adapters: want[0].Adapters, Replicas: want}, a); diff != "" {
		t.Error(diff)
	}

	// One that fails or declines makes the whole failed; one that is away is named by its address.
	second.reply = func(*cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
		return nil, fault.New(fault.AuditUnavailable, "the audit log is full")
	}
	a = s.command(client, `{"command":"RefreshKeys"}`).answer(t)
	if a.Result != Failed || a.Reason != "core2.example:7802: the audit log is full" || a.Replicas[0].Result != Success || a.Replicas[1].Result != Failed {
		t.Errorf("%+v", a)
	}
	second.down.Store(true)
	a = s.command(client, `{"command":"RefreshKeys"}`).answer(t)
	if a.Result != Failed || !strings.Contains(a.Reason, "not connected") {
		t.Errorf("%+v", a)
	}

	// If none carries it out the command is declined, by the one that says most.
	s.core.reply = func(*cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
		return nil, fault.New(fault.Denied, "the group may not")
	}
	if r := s.command(client, `{"command":"RefreshKeys"}`); r.status != 403 || r.kind(t) != "denied" {
		t.Error(r)
	}
	if n := s.Status().Counts["RefreshKeys"]; n != (cpm.Outcomes{Success: 1, Failed: 3}) {
		t.Errorf("%+v", n)
	}
}
