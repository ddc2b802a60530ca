// Package cli is the command line. Data goes to standard output, talk to standard error; every error names what to do
// next; exit codes are those of package fault, and 1 for a signature that does not verify.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/fault"
)

// Streams are the surroundings of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Env has the form of os.Environ.
	Env []string
	// IsTerminal says that a person sits at In and can be asked.
	IsTerminal bool
}

// Standard are the streams of this process.
func Standard() Streams {
	info, err := os.Stdin.Stat()
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ(),
		IsTerminal: err == nil && info.Mode()&os.ModeCharDevice != 0,
	}
}

// UntilSignal gives a context that SIGINT or SIGTERM ends. A second signal ends the process at once.
func UntilSignal(ctx context.Context) context.Context {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}

// Main runs the command line args (without the program's name) until it is done or ctx is, and gives the exit code.
func Main(ctx context.Context, args []string, io Streams) int {
	a := &app{io: io, env: variables(io.Env)}
	root := a.root()
	root.SetArgs(slices.Concat([]string{}, args))
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	return a.report(root.ExecuteContext(ctx))
}

// app is one run of the command line.
type app struct {
	io  Streams
	env map[string]string
	// ran is the command that was found, for hints.
	ran *cobra.Command
}

func (a *app) root() *cobra.Command {
	root := a.group("cpm", "Cryptographic Processing Module for Mojaloop",
		"cpm signs, verifies, encrypts and decrypts messages for the participants of a payment switch, makes and checks ILP\n"+
			"conditions, and keeps the keys for it.\n\n"+
			"Start with `cpm dev`. Settings come from flags, then from CPM_ADDR, CPM_CERT, CPM_KEY, CPM_CA, CPM_SOCKET and\n"+
			"CPM_OUTPUT. Exit codes: 0 done, 1 failed or signature not valid, 2 wrong use, 3 not allowed, 4 not found,\n"+
			"5 not possible in this state, 6 try again later.",
		a.serverCommand(), a.devCommand(), a.adapterCommand(), a.applyCommand(), a.configCommand(), a.rootKeyCommand(), a.fspCommand(), a.keyCommand(), a.keyUpdateCommand(), a.enrollCommand(),
		a.routeCommand(), a.grantCommand(), a.userCommand(), a.groupCommand(), a.whitelistCommand(), a.tokenCommand(), a.opCommand(), a.pkiCommand(), a.doctorCommand(), a.statusCommand(), a.commandCommand(),
		a.shutdownCommand(), a.startupCommand(), a.refreshCommand(command.RefreshConfig, "configuration"), a.refreshCommand(command.RefreshKeys, "keys"), a.benchCommand(), a.versionCommand())
	root.Version = version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(a.completionCommand(root))
	root.SetVersionTemplate("cpm {{.Version}}\n")
	return root
}

// verb is a command that does something.
type verb struct {
	use, short, long string
	// examples are complete command lines, at least two.
	examples []string
	args     cobra.PositionalArgs
	run      func(ctx context.Context, args []string) error
}

// command makes the verb's cobra command. Its flags are added by the caller.
func (a *app) command(v verb) *cobra.Command {
	c := &cobra.Command{
		Use: v.use, Short: v.short, Long: v.long, Example: lines(v.examples), Args: v.args,
		DisableFlagsInUseLine: true, ValidArgsFunction: cobra.NoFileCompletions,
	}
	if v.args == nil {
		c.Args = cobra.NoArgs
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		a.ran = c
		if err := v.run(c.Context(), args); err != nil {
			return failure{err}
		}
		return nil
	}
	return c
}

func lines(examples []string) string {
	text := ""
	for i, e := range examples {
		if i > 0 {
			text += "\n"
		}
		text += "  " + e
	}
	return text
}

// group makes a command that only holds others. Called without one of them, it says so.
func (a *app) group(use, short, long string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ArbitraryArgs, DisableFlagsInUseLine: true,
		SuggestionsMinimumDistance: 2,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		a.ran = c
		if len(args) == 0 && c.Parent() == nil {
			return c.Help()
		}
		if len(args) == 0 {
			return errors.New("say what to do: " + words(c))
		}
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return errors.New("there is no such command; did you mean: " + c.CommandPath() + " " + near[0])
		}
		return errors.New("there is no such command; there are: " + words(c))
	}
	c.AddCommand(children...)
	return c
}

// words lists the commands of a group.
func words(c *cobra.Command) string {
	text := ""
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() && child.Name() != "help" {
			if text != "" {
				text += ", "
			}
			text += child.Name()
		}
	}
	return text
}

// failure is an error of a command that was called rightly; all others are wrong use.
type failure struct{ error }

// Unwrap gives the command's error.
func (f failure) Unwrap() error { return f.error }

// wrongUse is a mistake in the arguments that only the command itself can see.
func wrongUse(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }
