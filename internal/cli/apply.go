package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/server"
)

func (a *app) applyCommand() *cobra.Command {
	var (
		file, bootstrap, socket *string
		out                     *output
	)
	c := a.command(verb{
		use: "apply -f FILE [-c FILE | --socket PATH]", short: "Put a configuration in force",
		long: "Stores settings, FSPs, adapters, routes and grants from a YAML or JSON file, all of them or none. A part that the\n" +
			"file has takes the place of the stored one (settings and FSPs are only added to or changed); a part that it does\n" +
			"not have stays. What is gone because the file does not name it is told on standard error. With -c and no CPM running,\n" +
			"the change is made in the database directly.",
		examples: []string{"cpm apply -f desired.yaml", "cpm apply -f - -c /etc/cpm/cpm.yaml < desired.json"},
		run: func(ctx context.Context, _ []string) error {
			receipt, err := a.apply(ctx, *file, *bootstrap, *socket)
			if err != nil {
				return err
			}
			a.say("applied; the configuration is at revision %d", receipt.Revision)
			a.sayGone(receipt)
			return out.print(receiptAnswer(receipt, nil))
		},
	})
	file = c.Flags().StringP("file", "f", "", "the configuration, or - for standard input")
	bootstrap = configFlag(c, "bootstrap configuration of the CPM, for its socket and its database")
	socket = c.Flags().String("socket", "", "administration socket of the CPM (default: of -c, or as for the other commands)")
	out = a.outputFlag(c)
	_ = c.MarkFlagRequired("file")
	_ = c.MarkFlagFilename("file", "yaml", "yml", "json")
	return c
}

func (a *app) apply(ctx context.Context, file, bootstrap, socket string) (command.Receipt, error) {
	text, err := a.readInput(file, maxDesired)
	if err != nil {
		return command.Receipt{}, withHint(err, "check the path given with -f")
	}
	document, err := desired(text)
	if err != nil {
		return command.Receipt{}, err
	}
	var boot *config.Config
	if bootstrap != "" {
		if boot, err = config.Load(bootstrap, a.io.Env); err != nil {
			return command.Receipt{}, withHint(err, "see what can be written with: cpm config explain")
		}
		socket = or(socket, boot.Listen.Socket)
	}
	client := command.Dial(a.socket(socket))
	defer client.Close()
	receipt, err := client.Apply(ctx, core.Change{Action: "config.apply", Document: document})
	if boot == nil || !nobodyThere(err) {
		return receipt, err
	}
	a.say("no CPM is running here; the change is made in the database")
	return offline(ctx, boot, document)
}

// nobodyThere says that the socket has no server, so that the database may be free.
func nobodyThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func offline(ctx context.Context, c *config.Config, document []byte) (command.Receipt, error) {
	receipt, err := server.Apply(ctx, c, document, fmt.Sprintf("uid:%d", os.Geteuid()))
	if err != nil {
		return command.Receipt{}, err
	}
	answer := command.Receipt{Revision: receipt.Revision}
	if receipt.Detail != nil {
		answer.Detail, err = json.Marshal(receipt.Detail)
	}
	return answer, err
}

// sayGone names what a part of the file has taken away by not having it; a CPM of an older version does not tell.
func (a *app) sayGone(r command.Receipt) {
	var detail core.ConfigDetail
	if len(r.Detail) == 0 || json.Unmarshal(r.Detail, &detail) != nil {
		return
	}
	for _, g := range detail.Gone {
		what, are := cmp.Or(partNames()[g.Part][1], g.Part), "are"
		if g.Count == 1 {
			what, are = cmp.Or(partNames()[g.Part][0], g.Part), "is"
		}
		names := printable(strings.Join(g.Names, ", "))
		if more := g.Count - len(g.Names); more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		a.say("%d %s %s not in the file and %s gone: %s", g.Count, printable(what), are, are, names)
	}
}

// partNames are one and several entries of each part of a core.Document that is replaced as a whole.
func partNames() map[string][2]string {
	return map[string][2]string{
		"adapters": {"adapter", "adapters"}, "routes": {"route", "routes"}, "grants": {"grant", "grants"},
		"groups": {"group", "groups"}, "users": {"user", "users"}, "whitelist": {"whitelisted address", "whitelisted addresses"},
	}
}

// receiptAnswer shows what came of a change; names are what it was about.
func receiptAnswer(r command.Receipt, names []string) answer {
	return answer{
		message: r, names: names,
		tables: []table{{header: []string{"REVISION"}, rows: [][]string{{fmt.Sprint(r.Revision)}}}},
	}
}
