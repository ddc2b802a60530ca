package server

import (
	"context"
	"net"
	"os"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/adapter"
)

// ServerStart is how a Command adapter starts the CPM of its machine. All of it is the adapter's own configuration; the
// program is this one.
type ServerStart struct {
	// Config is the bootstrap file of the server; without it nothing is started.
	Config string
	// Log is the file its log is appended to; without it the log goes where the adapter's own goes.
	Log string
	// Executable is this program, Env its environment.
	Executable string
	Env        []string
}

// serverStarter starts `cpm server`.
type serverStarter struct {
	start ServerStart
	cores []string
}

// dialTimeout is how long somebody at the address of a core may take to accept a connection.
const dialTimeout = time.Second

// Running says whether anybody listens where a core should.
func (s *serverStarter) Running(ctx context.Context) bool {
	for _, address := range s.cores {
		d := net.Dialer{Timeout: dialTimeout}
		if c, err := d.DialContext(ctx, "tcp", address); err == nil {
			_ = c.Close()
			return true
		}
	}
	return false
}

// Start starts the server in a session of its own: it stays when the adapter ends.
func (s *serverStarter) Start(ctx context.Context) (<-chan error, error) {
	output := os.Stdout
	if s.start.Log != "" {
		f, err := os.OpenFile(s.start.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		output = f
	}
	return adapter.Launch(ctx, adapter.Program{
		Path: s.start.Executable, Name: "cpm", Args: []string{"server", "--config", s.start.Config}, Env: inherited(s.start.Env), Output: output,
	})
}

// inherited is what the server keeps of the adapter's environment: the variables of the configuration and of the runtime.
// What a process supervisor tells the adapter about itself, such as NOTIFY_SOCKET, is not the server's.
func inherited(env []string) []string {
	var kept []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case strings.HasPrefix(name, "CPM_"), strings.HasPrefix(name, "GO"), strings.HasPrefix(name, "SSL_CERT_"):
			kept = append(kept, v)
		case name == "PATH", name == "HOME", name == "TMPDIR", name == "TZ":
			kept = append(kept, v)
		}
	}
	return kept
}
