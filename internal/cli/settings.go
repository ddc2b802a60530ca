package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/config"
)

// The variables of the command line.
const (
	envAddr       = "CPM_ADDR"
	envCommandURL = "CPM_COMMAND_URL"
	envTokenFile  = "CPM_TOKEN_FILE" //nolint:gosec // the name of a variable with the name of a file
	envCert       = "CPM_CERT"
	envKey        = "CPM_KEY"
	envCA         = "CPM_CA"
	envOutput     = "CPM_OUTPUT"
	envSocket     = "CPM_SOCKET"
)

// The places a socket is looked for, after the flag and the variable. The first is that of `cpm dev`.
const (
	devSocket    = "cpm-dev/cpm.sock"
	systemSocket = "/run/cpm/cpm.sock"
)

// variables reads the form of os.Environ; of a name given twice the last counts.
func variables(environ []string) map[string]string {
	all := map[string]string{}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok {
			all[name] = value
		}
	}
	return all
}

// or is the first text that is not empty.
func or(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// socketFlag adds --socket to a command and gives the way to the CPM behind it.
func (a *app) socketFlag(c *cobra.Command) func() *command.Client {
	path := c.Flags().String("socket", "", "administration socket of the CPM (default $CPM_SOCKET, ./"+devSocket+", "+systemSocket+")")
	_ = c.MarkFlagFilename("socket")
	return func() *command.Client { return command.Dial(a.socket(*path)) }
}

// socket finds the administration socket. That of `cpm dev` in the working directory counts only when it belongs to this
// user: whoever works in another's directory shall not send keys to the other.
func (a *app) socket(flag string) string {
	if path := or(flag, a.env[envSocket]); path != "" {
		return path
	}
	if mine(devSocket) {
		return devSocket
	}
	d := config.Default()
	d.Complete()
	if !there(systemSocket) && there(d.Listen.Socket) {
		return d.Listen.Socket
	}
	return systemSocket
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// configFlag adds -c to a command.
func configFlag(c *cobra.Command, usage string) *string {
	path := c.Flags().StringP("config", "c", "", usage)
	_ = c.MarkFlagFilename("config", "yaml", "yml")
	return path
}
