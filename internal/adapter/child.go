package adapter

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// startTimeout bounds how long a managed process takes until it says where it listens.
const startTimeout = 10 * time.Second

// child is one life of a managed process.
type child struct {
	command  *exec.Cmd
	lifeline *os.File // written to once; the process ends when it is closed
	report   *os.File
	log      *os.File
	exited   chan struct{}
	err      error // how it ended, once exited is closed
}

// spawn starts this very program with the arguments. It inherits two pipes and nothing of our environment but how its
// runtime shall behave: the rest may hold secrets.
func spawn(arguments []string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var pipes [3][2]*os.File // handover, report, log
	for i := range pipes {
		if pipes[i][0], pipes[i][1], err = os.Pipe(); err != nil {
			closeAll(pipes)
			return nil, err
		}
	}
	c := &child{lifeline: pipes[0][1], report: pipes[1][0], log: pipes[2][0], exited: make(chan struct{})}
	c.command = &exec.Cmd{
		Path: self, Args: append([]string{"cpm"}, arguments...), Env: runtimeEnvironment(), Dir: "/",
		Stdout: pipes[2][1], Stderr: pipes[2][1], ExtraFiles: []*os.File{pipes[0][0], pipes[1][1]}, SysProcAttr: bound(),
	}
	if err := c.start(); err != nil {
		closeAll(pipes)
		return nil, err
	}
	return c, errors.Join(pipes[0][0].Close(), pipes[1][1].Close(), pipes[2][1].Close())
}

// start starts the process on a thread of its own, which lasts as long as the process: Linux tells a process of the end of
// the thread that started it, not of the whole program.
func (c *child) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.command.Start()
		started <- err
		if err == nil {
			c.err = c.command.Wait()
			close(c.exited)
		}
	}()
	return <-started
}

// kill ends the process at once, and returns when it has ended.
func (c *child) kill() {
	_ = c.command.Process.Kill() // it may have ended by itself
	<-c.exited
}

// close gives the pipes back.
func (c *child) close() {
	_ = c.lifeline.Close()
	_ = c.report.Close()
}

func closeAll(pipes [3][2]*os.File) {
	for _, p := range pipes {
		for _, f := range p {
			if f != nil {
				_ = f.Close()
			}
		}
	}
}

// runtimeEnvironment are the variables of ours that say how a Go program runs.
func runtimeEnvironment() []string {
	environment := []string{}
	for _, name := range []string{"GODEBUG", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GOTRACEBACK", "GOCOVERDIR", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			environment = append(environment, name+"="+value)
		}
	}
	return environment
}
