package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

func (a *app) completionCommand(root *cobra.Command) *cobra.Command {
	shells := map[string]func(io.Writer) error{
		"bash":       func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":        root.GenZshCompletion,
		"fish":       func(w io.Writer) error { return root.GenFishCompletion(w, true) },
		"powershell": root.GenPowerShellCompletionWithDesc,
	}
	c := a.command(verb{
		use: "completion (bash | zsh | fish | powershell)", short: "Print a script that completes cpm commands in a shell",
		args:     cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		examples: []string{"cpm completion bash > /etc/bash_completion.d/cpm", "cpm completion zsh > ~/.zfunc/_cpm"},
		run: func(_ context.Context, args []string) error {
			return shells[args[0]](a.io.Out)
		},
	})
	c.ValidArgs = []string{"bash", "zsh", "fish", "powershell"}
	c.ValidArgsFunction = nil
	return c
}
