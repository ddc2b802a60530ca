package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

const pemText = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAbRFyXTLV\n-----END PRIVATE KEY-----\n"

func TestChangeReachesTheCoreAsItWasSentAndNamesTheUser(t *testing.T) {
	t.Parallel()
	var got core.Change
	var who cpm.Principal
	var key string
	d := serve(t, fake{apply: func(_ context.Context, p cpm.Principal, change core.Change) (core.Receipt, error) {
		got, who, key = change, p, string(change.Secret.Open(secret.Token{}))
		return core.Receipt{Revision: 7, Detail: core.KeyDetail{FSP: "payerfsp", Name: "sig", Version: 2}}, nil
	}}, Options{})
	receipt, err := d.client(t).Apply(t.Context(), core.Change{
		Action: "key.add", Target: "payerfsp/sig", Document: []byte(`{"name":"<sig>"}`), ExpectRevision: 6, RequestID: "request-1",
		Secret: secret.Take([]byte(pemText)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Revision != 7 || !strings.Contains(string(receipt.Detail), `"version":2`) {
		t.Errorf("receipt %d %s", receipt.Revision, receipt.Detail)
	}
	if got.Action != "key.add" || got.Target != "payerfsp/sig" || got.ExpectRevision != 6 || got.RequestID != "request-1" {
		t.Errorf("change %+v", got)
	}
	var document map[string]string
	if err := json.Unmarshal(got.Document, &document); err != nil || document["name"] != "<sig>" {
		t.Errorf("document %s: %v", got.Document, err)
	}
	if key != pemText {
		t.Error("the secret is another one")
	}
	if want := (cpm.Principal{Kind: cpm.PrincipalSocket, Name: "uid:" + strconv.Itoa(os.Getuid()), Address: "uid:" + strconv.Itoa(os.Getuid())}); who != want {
		t.Errorf("principal %+v, want %+v", who, want)
	}
}

func TestDeclineComesBackAsTheFaultItWas(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("routes[0].fsp: unknown FSP\n", 40)
	for _, want := range []*fault.Error{
		fault.New(fault.Conflict, "somebody was first"),
		fault.New(fault.Invalid, "%s", long),
		fault.New(fault.Busy, "too much at once").After(3 * time.Second),
		fault.New(fault.OutcomeUnknown, "it may have happened"),
	} {
		d := serve(t, fake{apply: func(context.Context, cpm.Principal, core.Change) (core.Receipt, error) { return core.Receipt{}, want }}, Options{})
		_, err := d.client(t).Apply(t.Context(), core.Change{Action: "fsp.add", RequestID: "r-1"})
		got, ok := errors.AsType[*fault.Error](err)
		if !ok || got.Kind != want.Kind || got.Public != want.Public || got.RetryAfter != want.RetryAfter {
			t.Errorf("got %v, want %v", err, want)
		}
		if id, ok := errors.AsType[RequestID](err); !ok || id != "r-1" {
			t.Errorf("%v: request id %q", want.Kind, id)
		}
	}
}

func TestInternalCauseIsLoggedAndNotSent(t *testing.T) {
	t.Parallel()
	d := serve(t, fake{apply: func(context.Context, cpm.Principal, core.Change) (core.Receipt, error) {
		return core.Receipt{}, errors.New("disk /dev/sda1 on fire")
	}}, Options{})
	_, err := d.client(t).Apply(t.Context(), core.Change{Action: "fsp.add"})
	if !errors.Is(err, fault.Internal) || strings.Contains(err.Error(), "fire") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(d.log.String(), "on fire") {
		t.Error("the log does not have the cause")
	}
}

func TestSecretIsNeverLogged(t *testing.T) {
	t.Parallel()
	d := serve(t, fake{apply: func(_ context.Context, _ cpm.Principal, change core.Change) (core.Receipt, error) {
		return core.Receipt{}, fault.New(fault.Invalid, "no").Because(fmt.Errorf("change %v", change.Secret))
	}}, Options{})
	if _, err := d.client(t).Apply(t.Context(), core.Change{Action: "key.add", Secret: secret.Take([]byte(pemText))}); err == nil {
		t.Fatal("no error")
	}
	body := `{"action":"key.add","secret":"` + base64.StdEncoding.EncodeToString([]byte(pemText)) + `","x":1}`
	if answer := raw(t, d, posting("changes", body)); answer.status != http.StatusBadRequest {
		t.Errorf("status %d", answer.status)
	}
	for _, clear := range []string{"MC4CAQAwBQ", base64.StdEncoding.EncodeToString([]byte(pemText))[:20]} {
		if strings.Contains(d.log.String(), clear) {
			t.Errorf("the log has the secret: %s", d.log.String())
		}
	}
}

// posting is a request with this body.
func posting(path, body string) string {
	return fmt.Sprintf("POST /v1/%s HTTP/1.1\r\nHost: cpm\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// received is an answer as it came.
type received struct {
	status int
	header http.Header
	body   []byte
}

// raw sends a request as it is.
func raw(t *testing.T, d *open, text string) received {
	t.Helper()
	c := d.dial(t)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return received{answer.StatusCode, answer.Header, body}
}

func TestBadRequestsGetOneAnswerEachAndNothingIsEchoed(t *testing.T) {
	t.Parallel()
	d := serve(t, fake{apply: func(context.Context, cpm.Principal, core.Change) (core.Receipt, error) {
		t.Error("a bad request reached the core")
		return core.Receipt{}, nil
	}, refresh: func(context.Context, cpm.Principal, core.RefreshOrder) (core.Receipt, error) {
		t.Error("a bad request reached the core")
		return core.Receipt{}, nil
	}}, Options{})
	const mark = "ECHO"
	change := func(body string) string { return posting("changes", body) }
	refresh := func(body string) string { return posting("refresh", body) }
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: cpm\r\n\r\n" }
	for name, c := range map[string]struct {
		text string
		want fault.Kind
	}{
		"no such path":              {get("/v1/" + mark), fault.NotFound},
		"another method":            {get("/v1/changes"), fault.NotFound},
		"unknown parameter":         {get("/v1/keys?" + mark + "=1"), fault.Invalid},
		"parameter twice":           {get("/v1/keys?fsp=" + mark + "&fsp=b"), fault.Invalid},
		"parameter where none is":   {get("/v1/status?x=" + mark), fault.Invalid},
		"history neither yes or no": {get("/v1/keys?history=" + mark), fault.Invalid},
		"trial of nothing":          {get("/v1/route-trial?fsp=" + mark), fault.Missing},
		"not JSON":                  {change(mark), fault.Invalid},
		"not an object":             {change(`["` + mark + `"]`), fault.Invalid},
		"truncated":                 {change(`{"action":"` + mark), fault.Invalid},
		"unknown member":            {change(`{"action":"a","` + mark + `":1}`), fault.Invalid},
		"member twice":              {change(`{"action":"` + mark + `","action":"b"}`), fault.Invalid},
		"no action":                 {change(`{"target":"` + mark + `"}`), fault.Missing},
		"action is a number":        {change(`{"action":1}`), fault.Invalid},
		"action too long":           {change(`{"action":"` + strings.Repeat(mark, 100) + `"}`), fault.Invalid},
		"document is a text":        {change(`{"action":"a","document":"` + mark + `"}`), fault.Invalid},
		"duplicate in document":     {change(`{"action":"a","document":{"x":"` + mark + `","x":1}}`), fault.Invalid},
		"secret not base64":         {change(`{"action":"a","secret":"` + mark + `!"}`), fault.Invalid},
		"secret with escapes":       {change(`{"action":"a","secret":"QU\u0042D"}`), fault.Invalid},
		"secret unpadded":           {change(`{"action":"a","secret":"QUJDRA"}`), fault.Invalid},
		"secret is a number":        {change(`{"action":"a","secret":12}`), fault.Invalid},
		"secret too long":           {change(`{"action":"a","secret":"` + strings.Repeat("QUJD", 22<<10) + `"}`), fault.TooLarge},
		"revision is a text":        {change(`{"action":"a","expectRevision":"1"}`), fault.Invalid},
		"revision is negative":      {change(`{"action":"a","expectRevision":-1}`), fault.Invalid},
		"revision has a fraction":   {change(`{"action":"a","expectRevision":1.5}`), fault.Invalid},
		"request id with a space":   {change(`{"action":"a","requestId":"` + mark + ` 1"}`), fault.Invalid},
		"request id empty":          {change(`{"action":"a","requestId":""}`), fault.Invalid},
		"request id too long":       {change(`{"action":"a","requestId":"` + strings.Repeat("x", 65) + `"}`), fault.Invalid},
		"too deep":                  {change(`{"action":"a","document":{"x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`), fault.Invalid},
		"small action, long body":   {change(`{"action":"fsp.add","document":{"x":"` + strings.Repeat("y", 1<<20) + `"}}`), fault.TooLarge},
		"refresh of what it is not": {refresh(`{"what":"` + mark + `"}`), fault.Invalid},
		"refresh of nothing":        {refresh(`{"requestId":"` + mark + `"}`), fault.Missing},
		"refresh of a number":       {refresh(`{"what":1}`), fault.Invalid},
		"refresh with more":         {refresh(`{"what":"keys","` + mark + `":1}`), fault.Invalid},
		"refresh twice":             {refresh(`{"what":"keys","what":"config"}`), fault.Invalid},
		"refresh with a bad id":     {refresh(`{"what":"keys","requestId":"` + mark + ` 1"}`), fault.Invalid},
		"refresh is not JSON":       {refresh(mark), fault.Invalid},
		"refresh with a long body":  {refresh(`{"what":"` + strings.Repeat(" ", 4<<10) + `"}`), fault.TooLarge},
		"refresh by another method": {get("/v1/refresh"), fault.NotFound},
		"adapters with a parameter": {get("/v1/adapters?x=" + mark), fault.Invalid},
		"over the largest":          {"POST /v1/changes HTTP/1.1\r\nHost: cpm\r\nContent-Length: 8388609\r\n\r\n", fault.TooLarge},
		"no length":                 {"POST /v1/changes HTTP/1.1\r\nHost: cpm\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := raw(t, d, c.text)
			if e := ReadFault(answer.status, answer.header, answer.body); e.Kind != c.want || answer.status != c.want.Code().HTTP {
				t.Errorf("status %d, fault %v, want %v", answer.status, e, c.want)
			}
			if bytes.Contains(answer.body, []byte(mark)) {
				t.Errorf("the answer echoes the request: %s", answer.body)
			}
			if !bytes.Contains(answer.body, []byte(`"requestId":"`+answer.header.Get("X-Request-Id")+`"`)) {
				t.Errorf("request ids differ: %s", answer.body)
			}
		})
	}
}

func TestRefreshReachesTheCoreWithItsCallerAndItsID(t *testing.T) {
	t.Parallel()
	var who cpm.Principal
	d := serve(t, fake{refresh: func(_ context.Context, p cpm.Principal, _ core.RefreshOrder) (core.Receipt, error) {
		who = p
		return core.Receipt{Revision: 9}, nil
	}}, Options{})
	for _, what := range []string{RefreshConfig, RefreshKeys} {
		who = cpm.Principal{}
		receipt, err := d.client(t).Refresh(t.Context(), what)
		if err != nil || receipt.Revision != 9 {
			t.Errorf("%s: %+v %v", what, receipt, err)
		}
		if who.Kind != cpm.PrincipalSocket || who.Name != "uid:"+strconv.Itoa(os.Getuid()) {
			t.Errorf("%s by %v", what, who)
		}
		if !strings.Contains(d.log.String(), `"what":"`+what+`"`) {
			t.Errorf("the log does not say what: %s", d.log.String())
		}
	}
	answer := raw(t, d, posting("refresh", `{"what":"keys","requestId":"r-7"}`))
	if answer.status != http.StatusOK || answer.header.Get("X-Request-Id") != "r-7" || string(answer.body) != `{"revision":9}`+"\n" {
		t.Errorf("%d %s %s", answer.status, answer.header, answer.body)
	}
	if _, err := d.client(t).Refresh(t.Context(), "world"); !errors.Is(err, fault.Invalid) {
		t.Errorf("what is not known: %v", err)
	}
}

func TestRefreshThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	d := serve(t, fake{refresh: func(context.Context, cpm.Principal, core.RefreshOrder) (core.Receipt, error) {
		return core.Receipt{}, fault.New(fault.Unavailable, "the database does not answer")
	}}, Options{})
	_, err := d.client(t).Refresh(t.Context(), RefreshConfig)
	if !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "the database does not answer") {
		t.Errorf("got %v", err)
	}
}

func TestConfigurationMayBeLong(t *testing.T) {
	t.Parallel()
	d := serve(t, fake{apply: func(_ context.Context, _ cpm.Principal, change core.Change) (core.Receipt, error) {
		return core.Receipt{Revision: int64(len(change.Document))}, nil
	}}, Options{})
	document := []byte(`{"x":"` + strings.Repeat("y", 7<<20) + `"}`)
	receipt, err := d.client(t).Apply(t.Context(), core.Change{Action: "config.apply", Document: document})
	if err != nil || receipt.Revision != int64(len(document)) {
		t.Errorf("%d bytes arrived of %d: %v", receipt.Revision, len(document), err)
	}
}

func TestStrangerIsDeniedAndSaidSo(t *testing.T) {
	t.Parallel()
	d := serve(t, fake{}, Options{Admit: func(uint32) bool { return false }})
	_, err := d.client(t).Status(t.Context())
	if !errors.Is(err, fault.Denied) {
		t.Errorf("got %v, want denied", err)
	}
	if want := `"caller":"uid:` + strconv.Itoa(os.Getuid()) + `"`; !strings.Contains(d.log.String(), want) {
		t.Errorf("the log does not say who it was: %s", d.log.String())
	}
}

func TestUnknownPeerIsDeniedWhateverIsAdmitted(t *testing.T) {
	t.Parallel()
	d := New(fake{}, Options{Log: discard(), Admit: func(uint32) bool { return true }})
	for _, remote := range []string{"unknown", "", "uid:", "uid:-1", "uid:4294967296", "127.0.0.1:80", "1000"} {
		if _, err := d.caller(remote); !errors.Is(err, fault.Denied) {
			t.Errorf("%q: %v, want denied", remote, err)
		}
	}
	if p, err := d.caller("uid:4294967295"); err != nil || p.String() != "socket:uid:4294967295" {
		t.Errorf("got %v %v", p, err)
	}
}

func TestOwnUserAndRootAreAdmitted(t *testing.T) {
	t.Parallel()
	own := uint32(os.Geteuid())
	if !ownerOrRoot(own) || !ownerOrRoot(0) || ownerOrRoot(own+1) {
		t.Error("wrong users are admitted")
	}
}
