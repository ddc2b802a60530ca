package e2e

import (
	"os"
	"testing"

	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/store/storetest"
)

// install makes everything a CPM needs. CPM_E2E_DATABASE says in what database: sqlite, which is the default, postgres or
// mysql; the servers are the test's own.
func install(t *testing.T, c cpmtest.Config) *cpmtest.CPM {
	t.Helper()
	switch name := os.Getenv("CPM_E2E_DATABASE"); name {
	case "", "sqlite":
	case "postgres":
		c.Database = storetest.PostgreSQL(t).Database(t).Config()
	case "mysql":
		c.Database = storetest.MariaDB(t).Database(t).Config()
	default:
		t.Fatalf("CPM_E2E_DATABASE is %q; it is sqlite, postgres or mysql", name)
	}
	return cpmtest.Install(t, c)
}
