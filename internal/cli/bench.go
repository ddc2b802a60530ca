package cli

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mojaloop/cpm/internal/bench"
)

const formatMarkdown = "markdown"

func (a *app) benchCommand() *cobra.Command {
	var (
		settings bench.Config
		grpc     string
		keys     []string
		to       *port
		out      *output
	)
	c := a.command(verb{
		use: "bench", short: "Measure a running CPM",
		long: "Signs and verifies sample messages over JSON, gRPC, streams and batches, and prints rates, latencies and CPU times\n" +
			"beside those of the bare primitive on this machine. With --rates, requests also arrive at fixed rates whatever the\n" +
			"answers take. gRPC needs --cert, --key and --ca. Only a CPM on this machine is driven unless --remote is given.",
		examples: []string{
			"cpm bench --duration 1s --rounds 1 --transports json",
			"cpm bench --addr https://127.0.0.1:7800 --cert client.pem --key client.key --ca ca.pem --rates 500,1000 -o markdown",
		},
		run: func(ctx context.Context, _ []string) error {
			if err := complete(&settings, to, grpc, keys, out); err != nil {
				return err
			}
			settings.Out, settings.Progress = a.io.Out, a.io.Err
			return bench.Run(ctx, settings)
		},
	})
	benchFlags(c, &settings)
	c.Flags().StringVar(&grpc, "grpc-addr", "", "host:port of the gRPC port (default: with --cert, the port after that of --addr)")
	c.Flags().StringSliceVar(&keys, "keys", nil, "keys of the FSP to sign with, as NAME=ALGORITHM (default jws=RS256,jws-ec=ES256)")
	to, out = a.portFlags(c), a.outputFlag(c, formatTable, formatMarkdown, formatJSON)
	return c
}

func benchFlags(c *cobra.Command, b *bench.Config) {
	f := c.Flags()
	f.StringVar(&b.FSP, "fsp", "payerfsp", "participant that signs")
	f.StringSliceVar(&b.Operations, "operations", nil, "sign, verify (default both)")
	f.StringSliceVar(&b.Transports, "transports", nil, "json, grpc, stream, json-batch, grpc-batch (default those that have an address)")
	f.DurationVar(&b.Duration, "duration", 2*time.Second, "how long each case runs in each round")
	f.IntVar(&b.Concurrency, "concurrency", 64, "calls in flight")
	f.IntVar(&b.Batch, "batch", 100, "operations in a batch")
	f.IntVar(&b.Rounds, "rounds", 3, "how often everything is measured")
	f.IntSliceVar(&b.Rates, "rates", nil, "arrivals per second for the open loop")
	f.IntVar(&b.ServerPID, "server-pid", 0, "process id of the CPM on this machine, for its CPU time")
	f.BoolVar(&b.AllowRemote, "remote", false, "drive a CPM on another machine")
}

// complete fills in what the flags say in words.
func complete(b *bench.Config, to *port, grpc string, keys []string, out *output) error {
	address, err := to.url()
	if err != nil {
		return err
	}
	if b.TLS, err = to.tls(); err != nil {
		return err
	}
	if b.Format, err = out.format(); err != nil {
		return err
	}
	b.Address, b.GRPCAddress = address.String(), grpc
	if grpc == "" && b.TLS != nil && len(b.TLS.Certificates) > 0 {
		b.GRPCAddress = nextPort(address)
	}
	for _, k := range keys {
		name, algorithm, ok := strings.Cut(k, "=")
		if !ok {
			return wrongUse("a key of the measurement is NAME=ALGORITHM, such as jws=RS256")
		}
		b.Keys = append(b.Keys, bench.Key{Name: name, Algorithm: algorithm})
	}
	return nil
}

// nextPort is the address of the gRPC port when it follows the JSON port, as it does by default.
func nextPort(u *url.URL) string {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(u.Hostname(), strconv.FormatUint(port+1, 10))
}
