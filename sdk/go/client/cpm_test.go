package client_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/sdk/go/client"
)

func TestSignAndVerifyAtACPM(t *testing.T) {
	t.Parallel()
	h := open(t, signingKey)
	c := h.client()
	h.must(c.Ready(t.Context()))
	signed, err := c.JWSSign(t.Context(), "payerfsp", signRequest())
	h.must(err)
	all := maps.Clone(headers)
	maps.Copy(all, signed.GetHeaders())
	check := &cpmv1.JwsVerifyRequest{
		Method: "POST", Uri: "/quotes", Headers: all, Content: &cpmv1.JwsVerifyRequest_Body{Body: signed.GetBody()},
	}
	verdict, err := c.JWSVerify(t.Context(), "payerfsp", check)
	if err != nil || !verdict.GetValid() {
		t.Errorf("%v %v", verdict, err)
	}
	check.Content = &cpmv1.JwsVerifyRequest_Body{Body: `{"amount":"2"}`}
	verdict, err = c.JWSVerify(t.Context(), "payerfsp", check)
	if err != nil || verdict.GetValid() || verdict.GetReason() != "signature-mismatch" {
		t.Errorf("a negative verdict is an answer: %v %v", verdict, err)
	}
}

func TestADeclineIsAnErrorWithItsKindCodeAndRequestID(t *testing.T) {
	t.Parallel()
	h := open(t, signingKey)
	c := h.client()
	_, err := c.JWSSign(t.Context(), "nosuchfsp", signRequest())
	var e *client.Error
	if !errors.As(err, &e) || !errors.Is(err, client.Denied) || e.Code != "3000" || !strings.Contains(e.Text, "no grant") || e.RequestID == "" {
		t.Errorf("%#v", err)
	}
	if !strings.Contains(err.Error(), e.RequestID) || !strings.Contains(h.Log(), e.RequestID) {
		t.Error("the request id is not in both texts: ", err)
	}
	_, err = c.JWSSign(t.Context(), "payeefsp", signRequest())
	if client.KindOf(err) != client.Invalid && client.KindOf(err) != client.NotFound {
		t.Error(err)
	}
	for _, r := range []*cpmv1.ProcessRequest{{Fsp: "payerfsp"}, {}} {
		if _, err = c.Do(t.Context(), r); client.KindOf(err) != client.Invalid {
			t.Error(err)
		}
	}
	bad := signRequest()
	bad.Uri = "\xff"
	if _, err = c.JWSSign(t.Context(), "payerfsp", bad); client.KindOf(err) != client.Invalid {
		t.Error(err)
	}
	bad.Uri, bad.Content = "/", &cpmv1.JwsSignRequest_Body{Body: strings.Repeat("a", 13<<20)}
	if _, err = c.JWSSign(t.Context(), "payerfsp", bad); client.KindOf(err) != client.TooLarge {
		t.Error(err)
	}
	if _, err = c.JWSSign(t.Context(), "payerfsp", signRequest()); err != nil {
		t.Error("the stream did not survive: ", err)
	}
}

func TestABatchHasAResultForEachItemInOrder(t *testing.T) {
	t.Parallel()
	h := open(t, signingKey)
	c := h.client(func(c *client.Config) { c.BatchParallel = 7 })
	items := repeat(signing(), 1500) // more than a batch of the port may have
	for i := range items {
		if i%10 == 3 {
			items[i] = proto.CloneOf(items[i])
			items[i].Fsp = "nosuchfsp"
		}
	}
	results := c.Batch(t.Context(), items)
	for i, r := range results {
		if denied := client.KindOf(r.Err) == client.Denied; denied != (i%10 == 3) || !denied && r.Response.GetJwsSign() == nil {
			t.Fatalf("item %d: %v %v", i, r.Response, r.Err)
		}
	}
	if diff := cmp.Diff(map[string]int{"ok": 1350, "denied": 150}, kinds(results)); diff != "" {
		t.Error(diff)
	}
	if got := c.Batch(t.Context(), nil); len(got) != 0 {
		t.Error(got)
	}
}

// TestEveryCallHasOneAnswerWhileTheCPMIsStoppedAndStarted: signatures are sent again, so that all succeed.
func TestEveryCallHasOneAnswerWhileTheCPMIsStoppedAndStarted(t *testing.T) {
	t.Parallel()
	h := open(t, signingKey)
	c := h.client(func(c *client.Config) { c.Attempts, c.Wait = 20, time.Minute })
	h.must(c.Ready(t.Context()))
	const items = 1500
	answered := make(chan []client.Result, 1)
	go func() { answered <- c.Batch(t.Context(), repeat(signing(), items)) }()
	for range 2 {
		time.Sleep(100 * time.Millisecond) // so that some are under way; nothing depends on how many
		h.must(h.Stop())
		h.Run(nil)
		h.found()
	}
	if diff := cmp.Diff(map[string]int{"ok": items}, kinds(<-answered)); diff != "" {
		t.Error(diff)
	}
}

// TestEveryCallHasOneAnswerWhileConnectionsAreCut: what a CPM that is killed looks like from here. Signatures are sent again;
// protected messages are done, or may have been.
func TestEveryCallHasOneAnswerWhileConnectionsAreCut(t *testing.T) {
	t.Parallel()
	h := open(t, signingKey)
	open := make(chan net.Conn, 1000)
	c := h.client(func(c *client.Config) {
		c.Attempts, c.Wait = 50, time.Minute
		c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := h.dial(ctx, address)
			if err == nil {
				open <- conn
			}
			return conn, err
		}
	})
	h.must(c.Ready(t.Context()))
	const items = 1000
	var requests []*cpmv1.ProcessRequest
	for range items / 2 {
		protect := &cpmv1.MessageProtectRequest{
			Method: "POST", Uri: "/quotes", Headers: headers, Content: &cpmv1.MessageProtectRequest_Body{Body: "{}"},
		}
		requests = append(requests, signing(), &cpmv1.ProcessRequest{
			Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_MessageProtect{MessageProtect: protect},
		})
	}
	answered := make(chan []client.Result, 1)
	go func() { answered <- c.Batch(t.Context(), requests) }()
	var results []client.Result
	for cuts := 0; results == nil; {
		select {
		case results = <-answered:
		case conn := <-open:
			if cuts++; cuts > 20 {
				continue // let the rest come to its end
			}
			time.Sleep(10 * time.Millisecond) // so that some are under way; nothing depends on how many
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}
	for i, r := range results {
		if (r.Err == nil) == (r.Response == nil) || i%2 == 0 && r.Err != nil || r.Err != nil && !errors.Is(r.Err, client.OutcomeUnknown) {
			t.Fatalf("item %d: %v %v", i, r.Response, r.Err)
		}
	}
	t.Log(kinds(results))
}

func TestTheCertificateOfNowIsUsed(t *testing.T) {
	t.Parallel()
	h := open(t, signingKey)
	dir := t.TempDir()
	files := h.identify(dir, "stranger.example")
	files.Every = 5 * time.Millisecond
	c := h.client(func(c *client.Config) { c.Files = files })
	_, err := c.JWSSign(t.Context(), "payerfsp", signRequest())
	if client.KindOf(err) != client.Denied {
		t.Fatal(err)
	}
	// Half a change is not one.
	h.must(os.WriteFile(filepath.Join(dir, "client.key"), []byte("half"), 0o600))
	if _, err = c.JWSSign(t.Context(), "payerfsp", signRequest()); client.KindOf(err) != client.Denied {
		t.Fatal(err)
	}
	h.identify(dir, "switch.example")
	for err != nil {
		if client.KindOf(err) != client.Denied {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		_, err = c.JWSSign(t.Context(), "payerfsp", signRequest())
	}
}

func TestWhyThereIsNoConnectionIsSaid(t *testing.T) {
	t.Parallel()
	h := open(t)
	other := open(t)
	c := h.client(func(c *client.Config) {
		c.Files.CA = filepath.Join(other.Dir, "ca.pem")
		c.Wait = 50 * time.Millisecond
	})
	said := false
	for !said { // the first attempt to connect may take longer than the call waits
		_, err := c.JWSSign(t.Context(), "payerfsp", signRequest())
		if client.KindOf(err) != client.Unavailable {
			t.Fatal(err)
		}
		said = strings.Contains(err.Error(), "certificate")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := c.Ready(ctx)
	if client.KindOf(err) != client.Timeout || !strings.Contains(err.Error(), "certificate") || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAClosedClientDeclines(t *testing.T) {
	t.Parallel()
	h := open(t, signingKey)
	c := h.client()
	results := make(chan []client.Result, 1)
	h.must(c.Ready(t.Context()))
	go func() { results <- c.Batch(t.Context(), repeat(signing(), 500)) }()
	h.must(c.Close(t.Context()))
	got := kinds(<-results)
	if got["ok"]+got["closed"] != 500 {
		t.Error("closing cut calls off: ", got)
	}
	if _, err := c.JWSSign(t.Context(), "payerfsp", signRequest()); !errors.Is(err, client.Closed) {
		t.Error(err)
	}
	if err := c.Ready(t.Context()); !errors.Is(err, client.Closed) {
		t.Error(err)
	}
	h.must(c.Close(t.Context()))
}
