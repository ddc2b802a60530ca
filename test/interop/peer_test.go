package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// peer is the program that speaks for the Node library, one JSON line each way.
type peer struct {
	in    io.WriteCloser
	lines chan []byte
	next  int
}

// startPeer starts it. Its packages are installed by `make interop` or `make test`.
func startPeer(t *testing.T) *peer {
	t.Helper()
	if _, err := os.Stat("node/node_modules"); err != nil {
		t.Fatal("the Node packages are not installed; run: npm ci --ignore-scripts --prefix test/interop/node")
	}
	command := exec.CommandContext(t.Context(), "node", "peer.js")
	command.Dir = "node"
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	fatal(t, err)
	out, err := command.StdoutPipe()
	fatal(t, err)
	fatal(t, command.Start())
	p := &peer{in: in, lines: make(chan []byte)}
	go p.read(out)
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	return p
}

func (p *peer) read(out io.Reader) {
	defer close(p.lines)
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		p.lines <- line
	}
}

// ask sends one question and reads its answer.
func (p *peer) ask(t *testing.T, question map[string]any, answer any) {
	t.Helper()
	p.next++
	question["id"] = p.next
	line, err := json.Marshal(question)
	fatal(t, err)
	_, err = p.in.Write(append(line, '\n'))
	fatal(t, err)
	select {
	case got, open := <-p.lines:
		if !open {
			t.Fatal("the Node program ended")
		}
		var failed struct {
			ID    int
			Valid *bool
			Error string
		}
		fatal(t, json.Unmarshal(got, &failed))
		if failed.ID != p.next || (failed.Error != "" && failed.Valid == nil) {
			t.Fatalf("the Node program answered %s", got)
		}
		fatal(t, json.Unmarshal(got, answer))
	case <-time.After(3 * time.Minute): // the first answer waits until Node has loaded three libraries
		t.Fatal("the Node program does not answer")
	}
}

func (p *peer) versions(t *testing.T) map[string]string {
	t.Helper()
	var answer struct{ A, B, C string }
	p.ask(t, map[string]any{"op": "versions"}, &answer)
	return map[string]string{"a": answer.A, "b": answer.B, "c": answer.C}
}

// canon is how each generation writes a body anew.
func (p *peer) canon(t *testing.T, body string) map[string]string {
	t.Helper()
	var answer struct{ A, B, C string }
	p.ask(t, map[string]any{"op": "canon", "bodyText": body}, &answer)
	return map[string]string{"a": answer.A, "b": answer.B, "c": answer.C}
}

// wire is a message as sent.
type wire struct {
	Headers map[string]string
	Body    string
}

func (p *peer) sign(t *testing.T, generation, how, private string, m message) wire {
	t.Helper()
	var answer wire
	p.ask(t, map[string]any{
		"op": "sign", "sdk": generation, "how": how, "key": private, "method": m.Method, "uri": m.URI, "headers": m.Headers,
		"bodyText": m.BodyText,
	}, &answer)
	return answer
}

func (p *peer) verify(t *testing.T, generation string, keys, headers map[string]string, body string) (valid bool, why string) {
	t.Helper()
	var answer struct {
		Valid bool
		Error string
	}
	p.ask(t, map[string]any{"op": "verify", "sdk": generation, "keys": keys, "headers": headers, "body": body}, &answer)
	return answer.Valid, answer.Error
}

// verifyWith is verify with the keys that Node finds in a directory.
func (p *peer) verifyWith(t *testing.T, generation, directory string, headers map[string]string, body string) (valid bool, why string) {
	t.Helper()
	var answer struct {
		Valid bool
		Error string
	}
	p.ask(t, map[string]any{"op": "verify", "sdk": generation, "directory": directory, "headers": headers, "body": body}, &answer)
	return answer.Valid, answer.Error
}

// call posts JSON to the CPM and wants 200.
func call(t *testing.T, client *http.Client, url string, question, answer any) {
	t.Helper()
	body, err := json.Marshal(question)
	fatal(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	fatal(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	fatal(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	fatal(t, err)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", url, response.StatusCode, text)
	}
	fatal(t, json.Unmarshal(text, answer))
}
