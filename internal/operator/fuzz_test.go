package operator

import (
	"encoding/json"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
)

// FuzzDecode looks for bodies that are taken for another command than they say.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"command":"Shutdown"}`, `{"command":"Startup","adapter":"ssm1"}`, `{"adapter":"ssm1","command":"Status"}`, `{"command":"Refresh\u004beys"}`,
		`{"command":"Status","command":"Shutdown"}`, `{"command":"Status","adapter":"*"}`, `{"command":"Status","x":1}`, `{"command":["Status"]}`, `{}`, ``, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, e := decode(body)
		if e != nil {
			if q != (Request{}) || e.Public == "" {
				t.Error("declined, and something of it is left")
			}
			return
		}
		if !slices.Contains(cpm.Commands(), q.Command) || q.Adapter != "" && !cpm.ValidName(q.Adapter) {
			t.Errorf("%+v", q)
		}
		var again map[string]string
		if err := json.Unmarshal(body, &again); err != nil || again["command"] != string(q.Command) || again["adapter"] != q.Adapter {
			t.Errorf("%q: %+v, another reader says %v, %v", body, q, again, err)
		}
	})
}

// FuzzReadReply looks for replies of a core that break the answer to the operator.
func FuzzReadReply(f *testing.F) {
	for _, r := range []*cpmv1.CommandReply{
		{Result: "success", Replica: "cpm", Adapters: []*cpmv1.AdapterState{{Name: "ssm1", Status: "Active", State: "Active"}}, Status: []byte(`{"a":1}`)},
		{Result: "failed", Reason: "why"},
		{Result: "maybe"},
		{Result: "success", Status: []byte("{")},
	} {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := readReply(payload, "core:7802")
		if err != nil {
			return
		}
		text, err := encode(merge([]Replica{r}))
		if err != nil || !json.Valid(text) || r.Replica == "" || r.Result != Success && r.Result != Failed {
			t.Errorf("%+v: %s, %v", r, text, err)
		}
	})
}
