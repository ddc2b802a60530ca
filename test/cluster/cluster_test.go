// Package cluster tests several CPMs on one database server, each a whole one that is reached through its doors: that they
// follow each other, and what they do when the database fails.
package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

// patience bounds every wait for something that has to come.
const patience = time.Minute

// onServers runs a test with each database server.
func onServers(t *testing.T, run func(t *testing.T, s *storetest.Server)) {
	for name, start := range map[string]func(testing.TB) *storetest.Server{
		"PostgreSQL": storetest.PostgreSQL, "MariaDB": storetest.MariaDB,
	} {
		t.Run(name, func(t *testing.T) { run(t, start(t)) })
	}
}

// replica is one of several CPMs.
type replica struct {
	*cpmtest.CPM
	t      *testing.T
	client *http.Client
}

func newReplica(t *testing.T, m *cpmtest.CPM) *replica {
	t.Helper()
	return &replica{CPM: m, t: t, client: m.HTTP(cpmtest.Client)}
}

// pair starts two CPMs on one database. payerfsp has the key "jws".
func pair(t *testing.T, first cpmtest.Config) (a, b *replica) {
	t.Helper()
	first.Keys = []keys.Addition{addition("jws")}
	a = newReplica(t, cpmtest.Start(t, first))
	b = newReplica(t, cpmtest.Start(t, cpmtest.Config{Beside: a.CPM}))
	return a, b
}

// addition is a new signature key of payerfsp.
func addition(name string) keys.Addition {
	return keys.Addition{FSP: "payerfsp", Name: name, Use: cpm.UseSignature, Generate: "ES256"}
}

// signed is a message with its signature.
type signed struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func headers() map[string]string {
	return map[string]string{"fspiop-source": "payerfsp", "fspiop-destination": "payeefsp", "date": "Tue, 23 May 2017 21:12:31 GMT"}
}

// sign has payerfsp's key sign; "" is the newest.
func (r *replica) sign(key string) (s signed, err error) {
	m := map[string]any{"method": "POST", "uri": "/quotes", "headers": headers(), "body": `{"amount":"1"}`}
	if key != "" {
		m["key"] = map[string]string{"name": key}
	}
	return s, r.post("sign", m, &s)
}

// verify gives "valid", or the reason why it is not.
func (r *replica) verify(s signed) (string, error) {
	h := headers()
	for name, value := range s.Headers {
		h[name] = value
	}
	var v struct {
		Valid  bool   `json:"valid"`
		Reason string `json:"reason"`
	}
	err := r.post("verify", map[string]any{"method": "POST", "uri": "/quotes", "headers": h, "body": s.Body}, &v)
	if v.Valid {
		return "valid", err
	}
	return v.Reason, err
}

func (r *replica) post(operation string, message, answer any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	resp, err := r.client.Post(r.URL("/v1/fsps/payerfsp/jws/"+operation), "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	return json.Unmarshal(text, answer)
}

// try makes a change.
func (r *replica) try(action, target string, document any) error {
	c := core.Change{Action: action, Target: target}
	if document != nil {
		text, err := json.Marshal(document)
		if err != nil {
			return err
		}
		c.Document = text
	}
	_, err := r.Admin.Apply(r.t.Context(), c)
	return err
}

func deletion(name string) core.Change {
	return core.Change{Action: "key.delete", Target: "payerfsp/" + name, Document: fmt.Appendf(nil, `{"fsp":"payerfsp","name":%q}`, name)}
}

func (r *replica) revision() int64 {
	r.t.Helper()
	s, err := r.Admin.Status(r.t.Context())
	must(r.t, err)
	return s.Revision
}

// suspended says whether payeefsp is, as the CPM has it in memory.
func (r *replica) suspended() bool {
	r.t.Helper()
	all, err := r.Admin.FSPs(r.t.Context())
	must(r.t, err)
	i := slices.IndexFunc(all.FSPs, func(f core.FSPView) bool { return f.Name == "payeefsp" })
	return all.FSPs[i].State == "suspended"
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until it is so, and gives the time that took.
func eventually(t *testing.T, what string, is func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > patience {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

// figures are times as they are reported: the middle one and the longest.
func figures(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("median %s, longest %s of %d", all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond), len(all))
}
