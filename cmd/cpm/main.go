// Command cpm is the Cryptographic Processing Module: the server, its administration and its clients in one binary.
package main

import (
	"context"
	"os"

	"github.com/mojaloop/cpm/internal/cli"
)

func main() {
	os.Exit(cli.Main(cli.UntilSignal(context.Background()), os.Args[1:], cli.Standard()))
}
