package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/command"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/fault"
)

func (a *app) tokenCommand() *cobra.Command {
	return a.group("token", "Issue, revoke and list API tokens of operators",
		"A token shows a user to a Command adapter when there is no client certificate. It is made here; the CPM keeps only its hash.",
		a.tokenIssue(), a.tokenRevoke(), a.tokenList())
}

// issuedToken is the answer of token issue; nobody can ask for the token again.
type issuedToken struct {
	User    string    `json:"user"`
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
	Token   string    `json:"token,omitempty"`
	File    string    `json:"file,omitempty"`
}

const defaultTokenDays = 90

func (a *app) tokenIssue() *cobra.Command {
	var (
		file string
		days int
	)
	c := a.administer(verb{
		use: "issue USER [--out FILE]", short: "Make a token for an operator", args: cobra.ExactArgs(1),
		long: "Prints the token once, to standard output, or writes it to a new file that only this user can read. Whoever has it is\n" +
			"the user, until it expires or is revoked.",
		examples: []string{"cpm token issue nightly --out nightly.token", "cpm token issue jane --days 1 -o json"},
	}, func(ctx context.Context, client *command.Client, out *output, args []string) error {
		t, text := access.NewToken(time.Now(), time.Duration(days)*day)
		made := issuedToken{User: args[0], ID: t.ID, Expires: t.Expires, File: file, Token: text}
		if file != "" {
			if err := writeToken(file, text); err != nil {
				return err
			}
			made.Token = ""
		}
		document := core.TokenDocument{ID: t.ID, Hash: t.Hash, Expires: t.Expires}
		if err := a.issue(ctx, client, args[0], document); err != nil {
			if file != "" && !errors.Is(err, fault.OutcomeUnknown) {
				_ = os.Remove(file) // it is good for nothing
			}
			return err
		}
		return out.print(tokenAnswer(made))
	})
	c.Flags().StringVar(&file, "out", "", "new file for the token (default: standard output)")
	c.Flags().IntVar(&days, "days", defaultTokenDays, "days the token is good for")
	return c
}

func tokenAnswer(made issuedToken) answer {
	v := answer{message: made, names: []string{made.ID}}
	head, row := []string{"USER", "ID", "EXPIRES", "TOKEN"}, []string{made.User, made.ID, ago(made.Expires, time.Now()), made.Token}
	if made.File != "" {
		head[3], row[3] = "FILE", made.File
	}
	v.tables = []table{{header: head, rows: [][]string{row}}}
	return v
}

func (a *app) issue(ctx context.Context, client *command.Client, user string, d core.TokenDocument) error {
	change := core.Change{Action: "token.issue", Target: user}
	receipt, err := submit(ctx, client, change, d)
	if err != nil {
		return err
	}
	a.say("a token of %s is issued; the configuration is at revision %d", printable(user), receipt.Revision)
	return nil
}

// writeToken makes a new file that only this user can read.
func writeToken(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return wrongUse("the file is there already; it is not overwritten")
	}
	if err == nil {
		_, err = fmt.Fprintln(f, text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return wrongUseBecause(err, "the file of the token cannot be written")
	}
	return nil
}

func (a *app) tokenRevoke() *cobra.Command {
	yes := new(bool)
	c := a.administer(verb{
		use: "revoke USER ID", short: "Refuse a token from now on", args: cobra.ExactArgs(2),
		long:     "ID is the one `cpm token list` shows, also the part of the token between the first two underlines. Asks for it.",
		examples: []string{"cpm token revoke nightly 0123456789abcdef", "cpm token revoke nightly 0123456789abcdef --yes"},
	}, func(ctx context.Context, client *command.Client, out *output, args []string) error {
		if err := a.confirm(*yes, "The token will be refused.", args[1]); err != nil {
			return err
		}
		return a.change(ctx, client, out, core.Change{Action: "token.revoke", Target: args[0]}, core.TokenDocument{ID: args[1]})
	})
	yes = yesFlag(c)
	return c
}

func (a *app) tokenList() *cobra.Command {
	var user string
	c := a.administer(verb{
		use: "list [--user USER]", short: "List the tokens, without what makes them usable",
		examples: []string{"cpm token list", "cpm token list --user nightly -o json"},
	}, func(ctx context.Context, client *command.Client, out *output, _ []string) error {
		all, err := client.Operators(ctx)
		if err != nil {
			return err
		}
		tokens := []issuedListed{}
		v := answer{tables: []table{{header: []string{"USER", "ID", "CREATED", "EXPIRES"}}}}
		for i := range all.Users {
			if user != "" && all.Users[i].Name != user {
				continue
			}
			for _, t := range all.Users[i].Tokens {
				tokens = append(tokens, issuedListed{all.Users[i].Name, t})
				v.names = append(v.names, t.ID)
				v.tables[0].rows = append(v.tables[0].rows, []string{all.Users[i].Name, t.ID, ago(t.Created, time.Now()), ago(t.Expires, time.Now())})
			}
		}
		v.message = map[string]any{"tokens": tokens}
		return out.print(v)
	})
	c.Flags().StringVar(&user, "user", "", "only those of this user")
	return c
}

// issuedListed is a token with its user.
type issuedListed struct {
	User string `json:"user"`
	core.TokenView
}
