package cluster

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/server"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

const smallDocument = `{"fsps":[{"name":"payerfsp"}],"adapters":[{"name":"ssm1","kind":"ssm","operations":["jws.sign","jws.verify"]}],
	"routes":[{"fsp":"*","operation":"*","adapter":"ssm1"}],"grants":[]}`

// TestTwoThatStartAtOnceOnAnEmptyDatabase has two CPMs make the tables, the root term and the configuration at once, and then
// start at once.
func TestTwoThatStartAtOnceOnAnEmptyDatabase(t *testing.T) {
	onServers(t, func(t *testing.T, s *storetest.Server) {
		keeper := cpmtest.Install(t, cpmtest.Config{}) // has the root key and the authority
		empty := s.Database(t).Config()
		both := []*cpmtest.CPM{
			cpmtest.Install(t, cpmtest.Config{Beside: keeper, Database: empty}), cpmtest.Install(t, cpmtest.Config{Beside: keeper, Database: empty}),
		}
		atOnce(both, func(m *cpmtest.CPM) {
			_, err := server.Apply(t.Context(), m.Config, []byte(smallDocument), "test")
			if errors.Is(err, fault.Conflict) { // the other was faster, and it says so
				_, err = server.Apply(t.Context(), m.Config, []byte(smallDocument), "test")
			}
			if err != nil {
				t.Error(err)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var active sync.WaitGroup
		active.Add(len(both))
		go func() { active.Wait(); cancel() }()
		atOnce(both, func(m *cpmtest.CPM) {
			became := false
			err := server.Run(ctx, m.Config, server.Options{Out: io.Discard, Ready: func(server.Addresses) { became = true; active.Done() }})
			if err != nil || !became {
				t.Errorf("Active %v, %v", became, err)
				cancel()
			}
		})
	})
}

func atOnce(all []*cpmtest.CPM, do func(*cpmtest.CPM)) {
	var group sync.WaitGroup
	for _, m := range all {
		group.Go(func() { do(m) })
	}
	group.Wait()
}
