package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/keyupdate"
)

// updateDoor are the flags that lead to a Key Update adapter.
type updateDoor struct {
	port
	base string
}

func (a *app) updateDoorFlags(c *cobra.Command) *updateDoor {
	d := &updateDoor{port: port{app: a}}
	f := c.Flags()
	f.StringVar(&d.base, "url", "", "URL of the Key Update adapter, such as https://cpm.example:7821")
	f.StringVar(&d.cert, "cert", "", "PEM file with the client certificate (default $CPM_CERT)")
	f.StringVar(&d.key, "key", "", "PEM file with the certificate's private key (default $CPM_KEY)")
	f.StringVar(&d.authority, "ca", "", "PEM file with the authority of the adapter's certificate (default $CPM_CA, the system's)")
	_ = c.MarkFlagRequired("url")
	return d
}

func (a *app) keyUpdateSend() *cobra.Command {
	var (
		door *updateDoor
		out  *output
	)
	c := a.command(verb{
		use: "send --url URL FILE...", short: "Send signed key updates", args: cobra.MinimumNArgs(1),
		long: "Sends updates that `cpm keyupdate sign` has made, one file each, - is standard input. Several are sent as one batch and\n" +
			"done in the order they are given. An update that was done changes nothing when it is sent again, and is declined.",
		examples: []string{
			"cpm keyupdate send --url https://cpm.example:7821 --cert payerfsp.pem --key payerfsp.key --ca ca.pem update.jws",
			"cpm keyupdate send --url https://cpm.example:7821 --cert payerfsp.pem --key payerfsp.key --ca ca.pem first.jws second.jws",
		},
		run: func(ctx context.Context, files []string) error {
			var updates []string
			for _, file := range files {
				text, err := a.wordIn(file)
				if err != nil {
					return err
				}
				updates = append(updates, text)
			}
			if len(updates) > 1 {
				return door.batch(ctx, out, updates)
			}
			return door.one(ctx, out, updates[0])
		},
	})
	door, out = a.updateDoorFlags(c), a.outputFlag(c)
	return c
}

// one sends one update.
func (d *updateDoor) one(ctx context.Context, out *output, update string) error {
	body, err := d.send(ctx, http.MethodPost, keyupdate.PathUpdates, "application/jose", []byte(update))
	if err != nil {
		return err
	}
	var done keyupdate.Result
	if err := json.Unmarshal(body, &done); err != nil {
		return unreadableAnswer(err)
	}
	return out.print(resultAnswer(done, done))
}

// batch sends several. It fails if one of them did.
func (d *updateDoor) batch(ctx context.Context, out *output, updates []string) error {
	text, err := json.Marshal(map[string]any{"updates": updates})
	if err != nil {
		return err
	}
	body, err := d.send(ctx, http.MethodPost, keyupdate.PathBatch, "application/json", text)
	if err != nil {
		return err
	}
	var all struct {
		Updates []struct {
			keyupdate.Result
			Message string `json:"message"`
		} `json:"updates"`
	}
	if err := json.Unmarshal(body, &all); err != nil || len(all.Updates) != len(updates) {
		return unreadableAnswer(err)
	}
	var results []keyupdate.Result
	failed := 0
	for i, u := range all.Updates {
		results = append(results, u.Result)
		if u.Result.Result != "success" {
			failed++
			d.app.say("update %d is declined: %s", i+1, u.Message)
		}
	}
	if err := out.print(resultAnswer(json.RawMessage(body), results...)); err != nil || failed == 0 {
		return err
	}
	return fault.New(fault.State, "%d of %d updates were declined", failed, len(updates))
}

func resultAnswer(message any, results ...keyupdate.Result) answer {
	v := answer{message: message, tables: []table{{header: []string{"RESULT", "FSP", "NAME", "VERSION"}}}}
	for _, r := range results {
		v.names = append(v.names, r.FSP+"/"+r.Name)
		v.tables[0].rows = append(v.tables[0].rows, []string{r.Result, r.FSP, r.Name, fmt.Sprint(r.Version)})
	}
	return v
}

func (a *app) keyUpdateImportKey() *cobra.Command {
	var (
		door *updateDoor
		fsp  string
	)
	c := a.command(verb{
		use: "import-key --url URL --fsp FSP", short: "Fetch a public key to seal a private or secret key to",
		long: "Writes id, JWK and end of validity as JSON. A private key that is sealed to it goes into one key update.",
		examples: []string{
			"cpm keyupdate import-key --url https://cpm.example:7821 --cert payerfsp.pem --key payerfsp.key --ca ca.pem --fsp payerfsp",
			"cpm keyupdate import-key --url https://127.0.0.1:7821 --ca ca.pem --fsp payerfsp > import.json",
		},
		run: func(ctx context.Context, _ []string) error {
			body, err := door.send(ctx, http.MethodGet, keyupdate.PathImportKey+"?fsp="+url.QueryEscape(fsp), "", nil)
			if err != nil {
				return err
			}
			_, err = a.io.Out.Write(body)
			return err
		},
	})
	door = a.updateDoorFlags(c)
	c.Flags().StringVar(&fsp, "fsp", "", "participant the key will belong to")
	_ = c.MarkFlagRequired("fsp")
	return c
}

// send makes one request and gives the body of its answer.
func (d *updateDoor) send(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	base, err := url.Parse(d.base)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" {
		return nil, wrongUse("the address of the Key Update adapter is a URL such as https://cpm.example:7821")
	}
	settings, err := d.tls()
	if err != nil {
		return nil, err
	}
	if settings == nil {
		settings = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	ctx, cancel := context.WithTimeout(ctx, portTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "https://"+base.Host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	client := http.Client{
		Transport:     &http.Transport{TLSClientConfig: settings, DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, doorUnreachable(err)
	}
	defer answer.Body.Close()
	return readPort(answer)
}

// doorUnreachable says why the adapter gave no answer. Whether an update was done is then not known.
func doorUnreachable(err error) error {
	if certificateProblem(err) {
		return unreachable(err)
	}
	f := fault.New(fault.Unavailable, "no Key Update adapter answers at the address")
	if errors.Is(err, context.DeadlineExceeded) {
		f = fault.New(fault.Timeout, "the Key Update adapter did not answer in time")
	}
	return withHint(f.Because(err), "send the same update again: one that was done changes nothing")
}

func unreadableAnswer(err error) error {
	return fault.New(fault.Internal, "the answer of the Key Update adapter cannot be read").Because(err)
}

// publicText reads a PEM file of public things; "" is none. A private key in its place is refused before it is sent.
func (a *app) publicText(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, _, err := a.keyText(addition{public: file})
	return text, err
}

// wordIn reads a file that holds one word, a JWS or a JWE, perhaps with a line end after it; "" is none.
func (a *app) wordIn(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := a.readInput(file, maxPEM)
	return strings.TrimSpace(string(text)), err
}
