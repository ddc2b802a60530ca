package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operator"
)

// commandTimeout bounds one command; a CPM that is started takes longest.
const commandTimeout = 5 * time.Minute

func (a *app) commandCommand() *cobra.Command {
	var (
		door   *operatorDoor
		out    *output
		yes    *bool
		target *string
	)
	c := a.command(verb{
		use: "command COMMAND [--adapter NAME] --url URL", short: "Send a command to a Command adapter", args: cobra.ExactArgs(1),
		long: "COMMAND is Shutdown, Startup, RefreshConfig, RefreshKeys or Status; without --adapter it is about the whole system.\n" +
			"A command that was carried out and failed ends with exit code 5 after its answer. Shutdown asks for the name of what\n" +
			"is shut down: the adapter, or \"cpm\".",
		examples: []string{
			"cpm command Status --url https://cmd1.example:7820 --cert ops1.pem --key ops1.key --ca ca.pem -o json",
			"cpm command Shutdown --adapter ssm1 --url https://cmd1.example:7820 --token-file ops1.token --ca ca.pem --yes",
		},
		run: func(ctx context.Context, args []string) error {
			q, err := commandRequest(args[0], *target)
			if err != nil {
				return err
			}
			if q.Command == cpm.CommandShutdown {
				if err := a.confirm(*yes, "Requests will be declined until Startup.", or(q.Adapter, "cpm")); err != nil {
					return err
				}
			}
			answer, err := door.send(ctx, q)
			if err != nil {
				return err
			}
			return printCommand(out, answer)
		},
	})
	yes = yesFlag(c)
	target = c.Flags().String("adapter", "", "the adapter it is about (default the whole system)")
	door, out = a.operatorFlags(c), a.outputFlag(c)
	return c
}

// commandRequest finds the command a word means; refresh-keys is RefreshKeys.
func commandRequest(word, adapter string) (operator.Request, error) {
	plain := strings.ReplaceAll(word, "-", "")
	i := slices.IndexFunc(cpm.Commands(), func(c cpm.CommandName) bool { return strings.EqualFold(string(c), plain) })
	switch {
	case i < 0:
		return operator.Request{}, wrongUse("the commands are Shutdown, Startup, RefreshConfig, RefreshKeys and Status")
	case adapter != "" && !cpm.ValidName(adapter):
		return operator.Request{}, wrongUse("--adapter is the name of an adapter")
	}
	return operator.Request{Command: cpm.Commands()[i], Adapter: adapter}, nil
}

// commandAnswer is the answer as it came, and as it is read.
type commandAnswer struct {
	raw []byte
	operator.Answer
}

func printCommand(out *output, a commandAnswer) error {
	head := table{header: []string{"RESULT", "REASON"}, rows: [][]string{{a.Result, a.Reason}}}
	adapters := table{header: []string{"ADAPTER", "STATUS", "STATE"}}
	v := answer{message: a.raw, names: []string{a.Result}}
	for _, x := range a.Adapters {
		adapters.rows = append(adapters.rows, []string{x.Name, x.Status, x.State})
	}
	v.tables = []table{head, adapters}
	if len(a.Replicas) > 0 {
		replicas := table{header: []string{"REPLICA", "RESULT", "REASON"}}
		for _, r := range a.Replicas {
			replicas.rows = append(replicas.rows, []string{r.Replica, r.Result, r.Reason})
		}
		v.tables = append(v.tables, replicas)
	}
	if err := out.print(v); err != nil {
		return err
	}
	if a.Result != operator.Success {
		return withHint(fault.New(fault.State, "the command failed: %s", a.Reason), "look at the CPM with: cpm command Status")
	}
	return nil
}

// operatorDoor are the flags that lead to a Command adapter.
type operatorDoor struct {
	port
	url, tokenFile string
}

func (a *app) operatorFlags(c *cobra.Command) *operatorDoor {
	d := &operatorDoor{port: port{app: a}}
	f := c.Flags()
	f.StringVar(&d.url, "url", "", "URL of the Command adapter (default $CPM_COMMAND_URL)")
	f.StringVar(&d.cert, "cert", "", "PEM file with the operator's certificate (default $CPM_CERT)")
	f.StringVar(&d.key, "key", "", "PEM file with the certificate's private key (default $CPM_KEY)")
	f.StringVar(&d.authority, "ca", "", "PEM file with the authority of the adapter's certificate (default $CPM_CA, the system's)")
	f.StringVar(&d.tokenFile, "token-file", "", "file with an API token, for its owner alone (default $CPM_TOKEN_FILE)")
	return d
}

// base is the address of the adapter, checked: commands go over TLS only.
func (d *operatorDoor) base() (string, error) {
	u, err := url.Parse(or(d.url, d.app.env[envCommandURL]))
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", withHint(wrongUse("the address of the Command adapter is a URL such as https://cmd1.example:7820"), "give it with: --url")
	}
	return "https://" + u.Host, nil
}

// maxToken bounds the file of a token.
const maxToken = 1 << 10

// token reads the API token; none without a file.
func (d *operatorDoor) token() (string, error) {
	file := or(d.tokenFile, d.app.env[envTokenFile])
	if file == "" {
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", unreadable(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", unreadable(err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", withHint(wrongUse("the file of the token may be read by others (mode %04o)", info.Mode().Perm()),
			"close it, and think about whether the token is still secret: chmod 600 %s", file)
	}
	text, err := readLimited(f, "the file of the token", maxToken)
	if err != nil {
		return "", err
	}
	if text = bytes.TrimSpace(text); len(text) == 0 || bytes.ContainsAny(text, " \t\r\n") {
		return "", wrongUse("the file of the token holds one token and nothing else")
	}
	return string(text), nil
}

// request makes the HTTP request of a command.
func (d *operatorDoor) request(ctx context.Context, q operator.Request) (*http.Request, error) {
	base, err := d.base()
	if err != nil {
		return nil, err
	}
	token, err := d.token()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+operator.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, nil
}

// send sends a command and reads its answer.
func (d *operatorDoor) send(ctx context.Context, q operator.Request) (commandAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	r, err := d.request(ctx, q)
	if err != nil {
		return commandAnswer{}, err
	}
	settings, err := d.tls()
	if err != nil {
		return commandAnswer{}, err
	}
	transport := &http.Transport{TLSClientConfig: settings, DisableCompression: true, DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		return commandAnswer{}, notAnswered(err)
	}
	defer response.Body.Close()
	body, err := readPort(response)
	if err != nil {
		return commandAnswer{}, err
	}
	a := commandAnswer{raw: body}
	if err := json.Unmarshal(body, &a.Answer); err != nil {
		return commandAnswer{}, fault.New(fault.Internal, "the answer cannot be read; is this the address of a Command adapter?").Because(err)
	}
	return a, nil
}

// notAnswered says why there is no answer, and whether the command may have been carried out.
func notAnswered(err error) error {
	var op *net.OpError
	switch {
	case certificateProblem(err):
		return withHint(fault.New(fault.Unauthenticated, "the Command adapter and this client do not accept each other's certificates").Because(err),
			"check --cert, --key and --ca, or the host name in --url")
	case errors.As(err, &op) && op.Op == "dial":
		return withHint(fault.New(fault.Unavailable, "no Command adapter answers at this address").Because(err),
			"look at its log, or give another address with: --url")
	}
	return withHint(fault.New(fault.OutcomeUnknown, "the command was sent and no answer came; it may have been carried out").Because(err),
		"look before you repeat it: cpm command Status")
}
