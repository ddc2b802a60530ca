package adapter

import (
	"context"
	"os"
	"os/exec"
)

// Program is a program that goes on without the process that started it.
type Program struct {
	// Path is the file, Args the words after its name, Name the name it is called by.
	Path, Name string
	Args       []string
	// Env is its whole environment.
	Env []string
	// Output takes what it writes; nil throws it away.
	Output *os.File
}

// Launch starts a program in a session of its own, so that neither a signal to this process nor its end ends it. The
// channel gets one value when the program has ended while this process is still there: nil for the exit code 0.
func Launch(ctx context.Context, p Program) (<-chan error, error) {
	c := exec.CommandContext(context.WithoutCancel(ctx), p.Path, p.Args...) //nolint:gosec // the caller names a program of this machine
	c.Args[0], c.Env, c.SysProcAttr = p.Name, p.Env, ownSession()
	if p.Output != nil {
		c.Stdout, c.Stderr = p.Output, p.Output
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }() // without it the program would stay as a zombie
	return ended, nil
}
