package cli

import (
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A port that wants a certificate may end the connection before its refusal is read. The client still says what is missing.
func TestAMissingCertificateIsNamedAlsoWhenTheConnectionIsReset(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	addr := resettingPort(t, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: s.TLS.Certificates, ClientAuth: tls.RequestClientCert})
	message := "POST /quotes HTTP/1.1\r\nFSPIOP-Source: payerfsp\r\n\r\n{}"
	code, _, talk := run(t, strings.NewReader(message), false, []string{"CPM_CA=" + ca}, "op", "sign", "--addr", "https://"+addr)
	if code != 3 || !strings.Contains(talk, "check --cert, --key and --ca, or the host name in --addr") {
		t.Fatalf("exit code %d, %s", code, talk)
	}
}

// resettingPort resets every connection after the handshake.
func resettingPort(t *testing.T, settings *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = tls.Server(c, settings).HandshakeContext(t.Context())
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// Plain HTTP to a port that speaks TLS only ends without an answer.
func TestPlainHTTPOnAPortOfTLSAsksForHTTPS(t *testing.T) {
	t.Parallel()
	addr := resettingPort(t, &tls.Config{MinVersion: tls.VersionTLS13})
	message := "POST /quotes HTTP/1.1\r\nFSPIOP-Source: payerfsp\r\n\r\n{}"
	code, _, talk := run(t, strings.NewReader(message), false, nil, "op", "sign", "--addr", "http://"+addr)
	if code != 6 || !strings.Contains(talk, "cpm: hint: is it https://?") {
		t.Fatalf("exit code %d, %s", code, talk)
	}
}
