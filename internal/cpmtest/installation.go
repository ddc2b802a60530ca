package cpmtest

import (
	"testing"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/server"
)

// Install makes everything a CPM needs and stores its first configuration, and starts nothing: for a test that runs the
// program as a process of its own. Keys of c are not added. Attach then tells where the process listens.
func Install(t testing.TB, c Config) *CPM {
	t.Helper()
	m := &CPM{t: t, Dir: t.TempDir(), log: &log{}}
	m.prepare(c)
	m.Configure(c)
	m.Admin = command.Dial(m.Config.Listen.Socket)
	t.Cleanup(m.Admin.Close)
	return m
}

// Attach makes the methods of m reach the process that listens there. Run and Stop are not for it.
func (m *CPM) Attach(a server.Addresses) { m.At = a }

// Environ is the configuration as the variables a process takes it from.
func (m *CPM) Environ() []string {
	c := m.Config
	return []string{
		"CPM_DATA_DIR=" + c.DataDir, "CPM_DATABASE_DRIVER=" + c.Database.Driver, "CPM_DATABASE_DSN=" + c.Database.DSN.Reveal(),
		"CPM_ROOT_KEY_FILE=" + c.RootKey.File,
		"CPM_LISTEN_MOJALOOP_HTTP=" + c.Listen.MojaloopHTTP,
		"CPM_LISTEN_MOJALOOP_GRPC=" + c.Listen.MojaloopGRPC, "CPM_LISTEN_COMMAND=" + c.Listen.Command,
		"CPM_LISTEN_KEY_UPDATE=" + c.Listen.KeyUpdate, "CPM_LISTEN_PROBES=" + c.Listen.Probes,
		"CPM_LISTEN_SOCKET=" + c.Listen.Socket, "CPM_TLS_CERT=" + c.TLS.Cert, "CPM_TLS_KEY=" + c.TLS.Key,
		"CPM_TLS_CLIENT_CA=" + c.TLS.ClientCA, "CPM_DRAIN_TIMEOUT=" + c.DrainTimeout.String(),
		"CPM_RISK_ACCEPTANCE_BY=" + c.RiskAcceptance.By, "CPM_RISK_ACCEPTANCE_DATE=" + c.RiskAcceptance.Date,
		"CPM_RISK_ACCEPTANCE_TEXT=" + c.RiskAcceptance.Text,
	}
}
