// Command cpm is the Cryptographic Processing Module: the server, its administration and its clients in one binary.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mojaloop/cpm/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Standard()))
}
