package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// maxReply bounds what is read of a person's answer.
const maxReply = 1 << 10

func yesFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("yes", false, "do not ask for the name")
}

// confirm has the person at the terminal type the name of what is about to be cut off.
func (a *app) confirm(yes bool, what, name string) error {
	if yes {
		return nil
	}
	if !a.io.IsTerminal {
		return withHint(wrongUse("nobody is there to confirm this"), "confirm it with: --yes")
	}
	fmt.Fprintf(a.io.Err, "%s\nType the name to go on: ", what)
	reply, err := bufio.NewReader(io.LimitReader(a.io.In, maxReply)).ReadString('\n')
	if strings.TrimSpace(reply) != name {
		return withHint(wrongUseBecause(err, "the name was not confirmed; nothing was done"), "repeat the command and type the name it shows")
	}
	return nil
}
