package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Server is a database server of the test's own, from the machine's packages: its files are in a directory that ends
// with the test, and it listens on a socket there and nowhere else.
type Server struct {
	product   product
	dir       string
	mu        sync.Mutex // of running
	running   *exec.Cmd
	ended     chan struct{}
	databases atomic.Int64
}

// product is what differs between the servers.
type product struct {
	driver, name, debian, user string
	// programs must be found, in the directories named or in the PATH.
	programs    []string
	directories string
	// prepare is the command that makes the data directory, serve the one that runs the server.
	prepare, serve func(programs []string, dir string) []string
	socket         func(dir string) string
	// dsn is the data source name of a database for a user, over the socket or over a TCP address if one is given.
	dsn func(dir, user, database, address string) string
	// admin is a user who may do everything; raw is what makes a data source name one without foreign keys.
	admin, adminDatabase, raw string
	// create makes a database @name that belongs to the user cpm.
	create []string
	// disconnect ends every session in database @name but those of the administrator.
	disconnect  string
	placeholder func(n int) string
	// crash ends all processes of the server at once.
	crash os.Signal
}

// PostgreSQL starts a PostgreSQL server that ends with the test. Without its programs the test fails, or is skipped if the
// environment says CPM_NO_DATABASES=1.
func PostgreSQL(t testing.TB) *Server { return startNew(t, postgres()) }

// MariaDB starts a MariaDB server that ends with the test. Without its programs the test fails, or is skipped if the
// environment says CPM_NO_DATABASES=1.
func MariaDB(t testing.TB) *Server { return startNew(t, maria()) }

func startNew(t testing.TB, p product) *Server {
	t.Helper()
	if os.Getenv("CPM_NO_DATABASES") == "1" {
		t.Skip("CPM_NO_DATABASES=1: the tests with " + p.name + " are left out")
	}
	programs := p.find(t)
	// Not t.TempDir: a socket's path is short, and the server's user must be able to enter.
	dir, err := os.MkdirTemp("", "cpm-db-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{product: p, dir: dir}
	if err := handOver(dir, p.user); err != nil {
		t.Fatal(err)
	}
	if out, err := s.command(p.prepare(programs, dir)).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", p.programs[0], err, out)
	}
	t.Cleanup(func() { s.Stop(t) })
	s.Start(t)
	return s
}

// find gives the paths of the programs.
func (p product) find(t testing.TB) (paths []string) {
	t.Helper()
	places, _ := filepath.Glob(p.directories)
	slices.Sort(places)
	for _, name := range p.programs {
		path, err := exec.LookPath(name)
		for _, place := range slices.Backward(places) {
			if err == nil {
				break
			}
			path, err = exec.LookPath(filepath.Join(place, name))
		}
		if err != nil {
			t.Fatalf("%s is not installed: install the Debian package %s, or set CPM_NO_DATABASES=1 to leave the tests with %s out",
				name, p.debian, p.name)
		}
		paths = append(paths, path)
	}
	return paths
}

// command makes a command that runs as the server's user, in the directory, and ends with this process.
func (s *Server) command(args []string) *exec.Cmd {
	c := exec.Command(args[0], args[1:]...)
	c.Dir = s.dir
	c.Env = append(os.Environ(), "HOME="+s.dir, "TMPDIR="+s.dir)
	asUser(c, s.product.user)
	return c
}

// Start starts the server again after Stop, and returns when it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	c := s.command(s.product.serve(s.product.find(t), s.dir))
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	s.running, s.ended = c, ended
	s.await(t)
}

// await returns when the server answers.
func (s *Server) await(t testing.TB) {
	t.Helper()
	db := s.open(t, s.product.admin, s.product.adminDatabase, "")
	defer func() { _ = db.Close() }()
	late := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for err := db.PingContext(t.Context()); err != nil; err = db.PingContext(t.Context()) {
		select {
		case <-tick.C:
			continue
		case <-s.ended:
		case <-late:
		}
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		t.Fatalf("%s does not answer: %v\n%s", s.product.name, err, log)
	}
}

// Stop ends the server as a crash of its process does: without a word to its clients, keeping what is committed. It does
// nothing if the server is stopped.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return
	}
	_ = s.running.Process.Signal(s.product.crash)
	<-s.ended
	s.running = nil
}

// Pause stops the server's processes where they are, as a machine that hangs does: connections stay, and nothing answers.
func (s *Server) Pause(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume lets the server's processes go on after Pause.
func (s *Server) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

// signal sends a signal to the server and its children.
func (s *Server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range append(children(t, s.running.Process.Pid), s.running.Process.Pid) {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
}

// children lists the processes that another one has started.
func children(t testing.TB, parent int) (pids []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// The name in brackets may hold anything; state and parent follow it.
		var state string
		var of int
		after := string(text[bytes.LastIndexByte(text, ')')+1:])
		if _, err := fmt.Sscan(after, &state, &of); err != nil || of != parent {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// Dial connects to the server's socket.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", s.product.socket(s.dir))
}

// open opens a database past the store. The drivers are those that package store brings.
func (s *Server) open(t testing.TB, user, database, more string) *sql.DB {
	t.Helper()
	driver := map[string]string{"postgres": "pgx", "mysql": "mysql"}[s.product.driver]
	db, err := sql.Open(driver, s.product.dsn(s.dir, user, database, "")+more)
	if err != nil {
		t.Fatal(err)
	}
	return db
}
