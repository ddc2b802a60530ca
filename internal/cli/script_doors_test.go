package cli

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
)

// post sends a file as it is to a door, with the certificate of the environment, and checks the status of the answer. The body
// of the answer is the output. $POST_FROM is the address it comes from.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: post STATUS URL FILE [NAME:VALUE...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, args[1], bytes.NewReader([]byte(ts.ReadFile(args[2]))))
	ts.Check(err)
	for _, header := range args[3:] {
		name, value, _ := bytes.Cut([]byte(header), []byte{':'})
		r.Header.Set(string(name), string(value))
	}
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ts.Getenv("POST_FROM"))}}
	transport := &http.Transport{TLSClientConfig: clientTLS(ts), DisableKeepAlives: true, DialContext: from.DialContext}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
	if answer.StatusCode != want {
		ts.Fatalf("the answer is %s, %s", answer.Status, body)
	}
}

// clientTLS is what the environment has for `cpm`: a certificate, or none, and the authority.
func clientTLS(ts *testscript.TestScript) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM([]byte(ts.ReadFile(ts.Getenv(envCA))))
	if file := ts.Getenv(envCert); file != "" {
		pair, err := tls.LoadX509KeyPair(file, ts.Getenv(envKey))
		ts.Check(err)
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// stoppedAtMost is how long a process stays stopped by a signal.
const stoppedAtMost = 15 * time.Second

// sendSignal sends a signal, by number, to the process in the background that has the word among its arguments.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signal NUMBER WORD")
	}
	number, err := strconv.Atoi(args[0])
	ts.Check(err)
	for _, c := range ts.BackgroundCmds() {
		if slices.Contains(c.Args, args[1]) {
			ts.Check(c.Process.Signal(syscall.Signal(number)))
			if syscall.Signal(number) == syscall.SIGSTOP { // so that a script that fails meanwhile can end it
				time.AfterFunc(stoppedAtMost, func() { _ = c.Process.Signal(syscall.SIGCONT) })
			}
			return
		}
	}
	ts.Fatalf("no process in the background has the argument %q", args[1])
}

// weakUpdate writes a key update that is right in everything but that its key is an RSA key of 1,024 bits. The command line
// would not sign it.
func weakUpdate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: weakupdate FSP NAME UPDATEKEY")
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	ts.Check(err)
	spki, err := x509.MarshalPKIXPublicKey(&weak.PublicKey)
	ts.Check(err)
	seq := time.Now().UnixMilli()
	payload, err := json.Marshal(map[string]any{
		"action": "Add", "fsp": args[0], "name": args[1], "use": "sig",
		"key":   string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
		"proof": compact(ts, "RS256", "cpm-key-proof+jwt", []byte(keys.ProofText(cpm.FSP(args[0]), args[1], seq, spki)), weak),
		"seq":   seq, "nonce": rand.Text(), "exp": time.Now().Add(time.Minute).Unix(),
	})
	ts.Check(err)
	block, _ := pem.Decode([]byte(ts.ReadFile(args[2])))
	update, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	ts.Check(err)
	_, err = io.WriteString(ts.Stdout(), compact(ts, "ES256", "cpm-key-update+jwt", payload, update.(crypto.Signer)))
	ts.Check(err)
}

// compact makes a compact JWS (RFC 7515, section 7.1) by an RSA or a P-256 key.
func compact(ts *testscript.TestScript, alg, typ string, payload []byte, by crypto.Signer) string {
	header, err := json.Marshal(map[string]string{"alg": alg, "typ": typ})
	ts.Check(err)
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(header) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	if k, ok := by.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, k, digest[:])
		ts.Check(err)
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	} else {
		signature, err = by.Sign(rand.Reader, digest[:], crypto.SHA256)
		ts.Check(err)
	}
	return input + "." + encode(signature)
}
