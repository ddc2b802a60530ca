package bench

import (
	"net/url"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// Limits of a run: whatever is asked for, it ends and fits into memory.
const (
	maxDuration    = time.Minute
	maxConcurrency = 4096
	maxBatch       = 1000
	maxRounds      = 100
	maxKeys        = 16
	maxRates       = 16
	maxRate        = 1_000_000

	// maxCalls is the number of calls in one case, each of which leaves a latency of 8 bytes.
	maxCalls = 4_000_000
	// maxFailures ends a case: a server that refuses everything is not worth a million refusals.
	maxFailures = 1000
	// callTime is how long a case waits for answers after its time.
	callTime = 10 * time.Second
	// patience is how long an arrival of the open loop may wait for a free caller before it is given up.
	patience = 2 * time.Second
	// distinct is the least number of different messages.
	distinct = 128
	// maxAnswer is the most that is read of one answer, in bytes.
	maxAnswer = 64 << 20
)

// The words of Config.Operations.
const (
	opSign   = "sign"
	opVerify = "verify"
)

// The words of Config.Transports, in the order of the report.
const (
	transportJSON      = "json"
	transportGRPC      = "grpc"
	transportStream    = "stream"
	transportJSONBatch = "json-batch"
	transportGRPCBatch = "grpc-batch"
)

func allTransports() []string {
	return []string{transportJSON, transportGRPC, transportStream, transportJSONBatch, transportGRPCBatch}
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	orText(&c.FSP, "payerfsp")
	orText(&c.Format, formatTable)
	orNumber(&c.Duration, 2*time.Second)
	orNumber(&c.Concurrency, 64)
	orNumber(&c.Batch, 100)
	orNumber(&c.Rounds, 3)
	if len(c.Keys) == 0 {
		c.Keys = []Key{{Name: "jws", Algorithm: algorithmRS256}, {Name: "jws-ec", Algorithm: algorithmES256}}
	}
	if len(c.Operations) == 0 {
		c.Operations = []string{opSign, opVerify}
	}
	if len(c.Transports) == 0 {
		c.Transports = allTransports()
	}
	return c
}

func orText(s *string, fallback string) {
	if *s == "" {
		*s = fallback
	}
}

func orNumber[N int | time.Duration](n *N, fallback N) {
	if *n == 0 {
		*n = fallback
	}
}

// check refuses what cannot be run. The texts do not repeat what was given.
func (c Config) check() error {
	for _, rule := range []struct {
		ok   bool
		text string
	}{
		{c.Out != nil, "there is nowhere to write the report to"},
		{c.Address != "" || c.GRPCAddress != "", "give the address of the JSON port, of the gRPC port, or both"},
		{c.Duration > 0 && c.Duration <= maxDuration, "the duration of a case is more than 0 and at most 1m"},
		{upTo(c.Concurrency, maxConcurrency), "the concurrency is 1 to 4096"},
		{upTo(c.Batch, maxBatch), "the batch is 1 to 1000 operations"},
		{upTo(c.Rounds, maxRounds), "the rounds are 1 to 100"},
		{len(c.Keys) <= maxKeys, "at most 16 keys"},
		{!slices.ContainsFunc(c.Keys, badKey), "a key has a name and the algorithm RS256 or ES256"},
		{subset(c.Operations, opSign, opVerify), "the operations are sign and verify"},
		{subset(c.Transports, allTransports()...), "the transports are json, grpc, stream, json-batch and grpc-batch"},
		{len(c.Rates) <= maxRates && !slices.ContainsFunc(c.Rates, badRate), "at most 16 rates of 1 to 1000000 a second"},
		{subset([]string{c.Format}, formatTable, formatMarkdown, formatJSON), "the format is table, markdown or json"},
	} {
		if !rule.ok {
			return fault.New(fault.Invalid, "%s", rule.text)
		}
	}
	return c.checkAddresses()
}

// upTo says whether n is 1 to the limit.
func upTo(n, limit int) bool { return 1 <= n && n <= limit }

func badKey(k Key) bool {
	return k.Name == "" || k.Algorithm != algorithmRS256 && k.Algorithm != algorithmES256
}

func badRate(n int) bool { return !upTo(n, maxRate) }

// subset says whether words has only allowed words, each at most once.
func subset(words []string, allowed ...string) bool {
	for i, w := range words {
		if !slices.Contains(allowed, w) || slices.Contains(words[:i], w) {
			return false
		}
	}
	return true
}

// checkAddresses looks at the form of both addresses and, unless remote servers are allowed, at where they lead.
func (c Config) checkAddresses() error {
	if c.Address != "" {
		u, err := url.Parse(c.Address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fault.New(fault.Invalid, "the address of the JSON port is a URL such as https://127.0.0.1:7800")
		}
		if !c.AllowRemote && !isLoopback(u.Hostname()) {
			return errRemote()
		}
	}
	if c.GRPCAddress != "" {
		host, err := hostOf(c.GRPCAddress)
		if err != nil {
			return fault.New(fault.Invalid, "the address of the gRPC port is host:port, such as 127.0.0.1:7801")
		}
		if !c.AllowRemote && !isLoopback(host) {
			return errRemote()
		}
	}
	return nil
}

func errRemote() error {
	return fault.New(fault.Invalid, "the server is not on loopback: a load driver must be pointed at another machine on purpose")
}
