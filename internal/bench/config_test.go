package bench

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mojaloop/cpm/internal/fault"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

func TestServersThatAreNotOnLoopbackAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		json, grpc string
		refused    bool
	}{
		{json: "http://127.0.0.1:7800"},
		{json: "https://127.8.9.1:7800", grpc: "127.0.0.1:7801"},
		{json: "https://[::1]:7800", grpc: "[::1]:7801"},
		{json: "https://localhost:7800", grpc: "localhost:7801"},
		{json: "https://[::ffff:127.0.0.1]:7800"},
		{json: "http://192.0.2.1:7800", refused: true},
		{json: "http://0.0.0.0:7800", refused: true},
		{json: "https://cpm.example:7800", refused: true},
		{json: "https://localhost.example:7800", refused: true},
		{json: "https://127.0.0.1.example:7800", refused: true},
		{json: "http://127.0.0.1@192.0.2.1:7800", refused: true},
		{json: "https://127.0.0.1:7800", grpc: "192.0.2.1:7801", refused: true},
		{grpc: "cpm.example:7801", refused: true},
		{grpc: "[2001:db8::1]:7801", refused: true},
	} {
		c := Config{Address: test.json, GRPCAddress: test.grpc, Out: new(bytes.Buffer)}.withDefaults()
		if err := c.check(); (err != nil) != test.refused || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%q %q: %v, want refused %v", test.json, test.grpc, err, test.refused)
		}
		c.AllowRemote = true
		if err := c.check(); err != nil {
			t.Errorf("%q %q although remote servers are allowed: %v", test.json, test.grpc, err)
		}
	}
}

func TestANameThatLeadsElsewhereIsNotDialled(t *testing.T) {
	t.Parallel()
	// 192.0.2.0/24 is nobody's (RFC 5737); the dialer must refuse before a packet is sent, which it shows by its error.
	_, err := Config{}.dialer().DialContext(t.Context(), "tcp", "192.0.2.1:7800")
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("error %v, want a refusal", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := Config{}.dialer().DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatalf("loopback is refused: %v", err)
	}
	_ = conn.Close()
}

func TestConfigurationsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"nowhere to write":    func(c *Config) { c.Out = nil },
		"no address":          func(c *Config) { c.Address = "" },
		"address without URL": func(c *Config) { c.Address = "127.0.0.1:7800" },
		"address of a file":   func(c *Config) { c.Address = "file:///etc/passwd" },
		"gRPC without port":   func(c *Config) { c.GRPCAddress = "127.0.0.1" },
		"negative duration":   func(c *Config) { c.Duration = -time.Second },
		"an hour each":        func(c *Config) { c.Duration = time.Hour },
		"too many in flight":  func(c *Config) { c.Concurrency = maxConcurrency + 1 },
		"negative in flight":  func(c *Config) { c.Concurrency = -1 },
		"batch too large":     func(c *Config) { c.Batch = maxBatch + 1 },
		"too many rounds":     func(c *Config) { c.Rounds = maxRounds + 1 },
		"unknown algorithm":   func(c *Config) { c.Keys = []Key{{Name: "jws", Algorithm: "HS256"}} },
		"key without name":    func(c *Config) { c.Keys = []Key{{Algorithm: algorithmRS256}} },
		"too many keys":       func(c *Config) { c.Keys = make([]Key, maxKeys+1) },
		"unknown operation":   func(c *Config) { c.Operations = []string{"encrypt"} },
		"operation twice":     func(c *Config) { c.Operations = []string{opSign, opSign} },
		"unknown transport":   func(c *Config) { c.Transports = []string{"carrier pigeon"} },
		"rate of 0":           func(c *Config) { c.Rates = []int{0} },
		"rate beyond all":     func(c *Config) { c.Rates = []int{maxRate + 1} },
		"too many rates":      func(c *Config) { c.Rates = make([]int, maxRates+1) },
		"unknown format":      func(c *Config) { c.Format = "xml" },
	} {
		out := new(bytes.Buffer)
		c := Config{Address: "http://127.0.0.1:1", Out: out}
		change(&c)
		if err := Run(t.Context(), c); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want fault.Invalid", name, err)
		}
		if out.Len() != 0 {
			t.Errorf("%s: there is a report", name)
		}
	}
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	good := &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_JwsSign{JwsSign: &cpmv1.JwsSignResponse{
		Headers: map[string]string{headerSignature: fakeSignature},
	}}}
	yes, no := true, false
	verdict := func(valid *bool) *cpmv1.ProcessResponse {
		return &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_JwsVerify{JwsVerify: &cpmv1.JwsVerifyResponse{Valid: valid}}}
	}
	unsigned := &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_JwsSign{JwsSign: new(cpmv1.JwsSignResponse)}}
	decline := &cpmv1.ProcessResponse{Result: &cpmv1.ProcessResponse_Error{Error: fault.New(fault.Timeout, "late").Message("1")}}
	for name, test := range map[string]struct {
		operation string
		answer    *cpmv1.ProcessResponse
		good      bool
	}{
		"signed":              {opSign, good, true},
		"without signature":   {opSign, unsigned, false},
		"verdict for signing": {opSign, verdict(&yes), false},
		"declined":            {opSign, decline, false},
		"empty":               {opSign, new(cpmv1.ProcessResponse), false},
		"nothing":             {opVerify, nil, false},
		"valid":               {opVerify, verdict(&yes), true},
		"invalid":             {opVerify, verdict(&no), false},
		"no verdict":          {opVerify, verdict(nil), false},
		"declined verdict":    {opVerify, decline, false},
	} {
		if err := judge(test.operation, test.answer); (err == nil) != test.good {
			t.Errorf("%s: %v, want good %v", name, err, test.good)
		}
	}
	if failed, err := judgeAll(opSign, 3, []*cpmv1.ProcessResponse{good, decline, good}); failed != 1 || err == nil {
		t.Errorf("one of three declined: %d, %v", failed, err)
	}
	if failed, err := judgeAll(opSign, 3, []*cpmv1.ProcessResponse{good, good}); failed != 3 || err == nil {
		t.Errorf("two answers to three operations: %d, %v", failed, err)
	}
}

func TestDeclinesSayWhatTheServerSaid(t *testing.T) {
	t.Parallel()
	e := fault.New(fault.Busy, "come again").Message("1")
	body, err := marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ got, want string }{
		{declinedHTTP(429, body).Error(), `HTTP 429, declined: 2005 "Server busy - come again"`},
		{declinedHTTP(502, []byte("<html>\x1b[2J")).Error(), `declined: HTTP 502 Bad Gateway`},
		{declinedHTTP(500, []byte("{}")).Error(), `declined: HTTP 500 Internal Server Error`},
		{declinedGRPC(statusOf(e)).Error(), `gRPC ResourceExhausted, declined: 2005 "Server busy - come again"`},
		{declinedGRPC(status.Error(codes.Unavailable, "gone\x1b[2J")).Error(), `gRPC Unavailable: "gone\x1b[2J"`},
	} {
		if test.got != test.want {
			t.Errorf("%s, want %s", test.got, test.want)
		}
	}
}

func TestSignatureBitsComeFromTheHeader(t *testing.T) {
	t.Parallel()
	if bits, err := signatureBits(fakeSignature); bits != 2048 || err != nil {
		t.Errorf("%d, %v, want 2048", bits, err)
	}
	for _, header := range []string{"", "{}", `{"signature":"AA=="}`, `{"signature":"AAAA"}`} {
		if _, err := signatureBits(header); err == nil {
			t.Errorf("%q is taken for a signature", header)
		}
	}
}
