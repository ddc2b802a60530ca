package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// process is a CPM of its own, which the driver shares nothing with but the processors.
type process struct {
	t       *testing.T
	program string
	dir     string
	command *exec.Cmd
	grpc    string
	json    string
	tls     *tls.Config
}

// startProcess builds the program, unless CPM_PROGRAM names one to compare with, and starts `cpm dev`.
func startProcess(t *testing.T) *process {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "cpm-overload") // short enough for a socket
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &process{t: t, program: filepath.Join(dir, "cpm"), dir: filepath.Join(dir, "d")}
	if given := os.Getenv("CPM_PROGRAM"); given != "" {
		p.program = given
		return p.start()
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.program, "../../cmd/cpm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return p.start()
}

// start starts it, and waits until it answers.
func (p *process) start() *process {
	p.t.Helper()
	port := freePort(p.t)
	// The first processor is the CPM's, the others are the driver's, as if it ran elsewhere.
	p.command = exec.Command("taskset", "-c", "0", p.program, "dev", "--data-dir", p.dir, "--port-base", strconv.Itoa(port))
	said := filepath.Join(filepath.Dir(p.dir), "stderr")
	log, err := os.Create(said)
	must(p.t, err)
	defer func() { _ = log.Close() }()
	p.command.Stderr = log
	must(p.t, p.command.Start())
	p.t.Cleanup(func() {
		_ = p.command.Process.Signal(syscall.SIGTERM)
		_ = p.command.Wait()
	})
	out, err := exec.Command("taskset", "-a", "-c", "-p", fmt.Sprintf("1-%d", runtime.NumCPU()-1), strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		p.t.Fatalf("two processors are needed, one for the CPM: %v\n%s", err, out)
	}
	p.json, p.grpc = net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1))
	for deadline := time.Now().Add(time.Minute); p.cpm("status") != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			why, _ := os.ReadFile(said)
			p.t.Fatalf("the CPM does not answer\n%s", why)
		}
	}
	p.identify()
	return p
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// cpm runs a command.
func (p *process) cpm(args ...string) error {
	c := exec.CommandContext(p.t.Context(), p.program, append(args, "--socket", filepath.Join(p.dir, "cpm.sock"))...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", args, err, out)
	}
	return nil
}

// apply gives the CPM a configuration.
func (p *process) apply(document string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "desired.yaml")
	must(p.t, os.WriteFile(file, []byte(document), 0o600))
	must(p.t, p.cpm("apply", "-f", file))
}

func (p *process) identify() {
	p.t.Helper()
	pki := filepath.Join(p.dir, "pki")
	own, err := tls.LoadX509KeyPair(filepath.Join(pki, "client.pem"), filepath.Join(pki, "client.key"))
	must(p.t, err)
	ca, err := os.ReadFile(filepath.Join(pki, "ca.pem"))
	must(p.t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	p.tls = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, RootCAs: roots, ServerName: "localhost"}
}

// cpu is the processor time the CPM has used, user and system.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	must(p.t, err)
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// ownCPU is the driver's.
func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// source sends one request again and again over streams on connections of its own, by the clock.
type source struct {
	t       *testing.T
	streams []*openStream
}

type openStream struct {
	client grpc.BidiStreamingClient[cpmv1.StreamRequest, cpmv1.StreamResponse]
	todo   chan *arrival
	mu     sync.Mutex
	under  map[uint64]*arrival
}

// arrival is one request: when it was due, when the driver got round to it, which no answer ever delays, and what became of it when.
type arrival struct {
	request *cpmv1.ProcessRequest
	due     time.Time
	begin   time.Time
	end     time.Time
	verdict verdict
	done    *sync.WaitGroup
}

type verdict byte

const (
	unanswered verdict = iota
	good
	busy
	spared // declined by the client: the CPM was not asked
	failed
)

func newSource(t *testing.T, p *process, streams int) *source {
	t.Helper()
	s := &source{t: t}
	for range streams {
		connection, err := grpc.NewClient(p.grpc, grpc.WithTransportCredentials(credentials.NewTLS(p.tls)))
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		client, err := cpmv1.NewCryptographicServiceClient(connection).Stream(ctx)
		must(t, err)
		o := &openStream{client: client, todo: make(chan *arrival, 1<<18), under: map[uint64]*arrival{}}
		var both sync.WaitGroup
		both.Go(o.send)
		both.Go(o.receive)
		t.Cleanup(func() {
			close(o.todo)
			cancel()
			both.Wait()
			_ = connection.Close()
		})
		s.streams = append(s.streams, o)
	}
	return s
}

func (o *openStream) send() {
	id := uint64(0)
	for a := range o.todo {
		id++
		o.mu.Lock()
		o.under[id] = a
		o.mu.Unlock()
		if o.client.Send(&cpmv1.StreamRequest{Id: id, Request: a.request}) != nil {
			return
		}
	}
}

func (o *openStream) receive() {
	for {
		answer, err := o.client.Recv()
		if err != nil {
			return
		}
		o.mu.Lock()
		a := o.under[answer.GetId()]
		delete(o.under, answer.GetId())
		o.mu.Unlock()
		a.end, a.verdict = time.Now(), good
		if e := answer.GetResponse().GetError(); e != nil {
			a.verdict = failed
			if e.GetErrorInformation().GetErrorCode() == "2005" {
				a.verdict = busy
			}
		}
		a.done.Done()
	}
}

// run sends rate requests a second for some time, whatever comes back, and waits until all are answered.
func (s *source) run(request *cpmv1.ProcessRequest, rate int, d time.Duration) []*arrival {
	var done sync.WaitGroup
	all := onSchedule(request, rate, d, &done, func(i int, a *arrival) { s.streams[i%len(s.streams)].todo <- a })
	done.Wait()
	return all
}

// onSchedule lets rate arrivals a second go for some time.
func onSchedule(request *cpmv1.ProcessRequest, rate int, d time.Duration, done *sync.WaitGroup, send func(int, *arrival)) []*arrival {
	all := make([]*arrival, int(int64(rate)*int64(d)/int64(time.Second)))
	start := time.Now()
	for i := range all {
		due := start.Add(time.Duration(int64(i) * int64(time.Second) / int64(rate)))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait + 500*time.Microsecond) // two or three at once cost the driver less
		}
		all[i] = &arrival{request: request, due: due, begin: time.Now(), done: done}
		done.Add(1)
		send(i, all[i])
	}
	return all
}

// figures are what came of arrivals; latencies are from when each began, in milliseconds.
type figures struct {
	good, busy, failed int
	spared             int // of those that were busy: the CPM was not asked
	// within are the good answers that came within the time of the arrivals.
	rate                         float64
	goodP50, goodP99, busyP99    float64
	saidP99                      float64       // of the busy ones that the CPM was asked for
	lateP99                      float64       // how long after it was due the driver began
	answeredAfter                time.Duration // until the last answer
	serverCPU, driverCPU, window time.Duration
}

func figuresOf(all []*arrival) figures {
	var f figures
	var goods, busies, said, late []float64
	var last time.Time
	end := all[len(all)-1].due
	for _, a := range all {
		ms := milliseconds(a.begin, a.end)
		late = append(late, milliseconds(a.due, a.begin))
		last = later(last, a.end)
		switch a.verdict {
		case good:
			goods = append(goods, ms)
			if !a.end.After(end) {
				f.rate++
			}
		case busy:
			said = append(said, ms)
		case spared:
			f.spared++
			busies = append(busies, ms)
		default:
			f.failed++
		}
	}
	busies = append(busies, said...)
	f.good, f.busy = len(goods), len(busies)
	f.window = end.Sub(all[0].due)
	f.rate /= f.window.Seconds()
	f.goodP50, f.goodP99, f.busyP99 = at(goods, 0.5), at(goods, 0.99), at(busies, 0.99)
	f.saidP99 = at(said, 0.99)
	f.lateP99 = at(late, 0.99)
	f.answeredAfter = last.Sub(end)
	return f
}

func milliseconds(from, to time.Time) float64 { return float64(to.Sub(from).Microseconds()) / 1e3 }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func at(all []float64, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(float64(len(all)-1)*q)]
}

// crowd has so many callers ask for the time, each again as soon as it is answered.
func (s *source) crowd(request *cpmv1.ProcessRequest, callers int, d time.Duration) []*arrival {
	var all []*arrival
	var group sync.WaitGroup
	var mu sync.Mutex
	start := time.Now()
	for i := range callers {
		group.Go(func() {
			for time.Since(start) < d {
				var done sync.WaitGroup
				done.Add(1)
				now := time.Now()
				a := &arrival{request: request, due: now, begin: now, done: &done}
				s.streams[i%len(s.streams)].todo <- a
				done.Wait()
				mu.Lock()
				all = append(all, a)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return all
}

// peak is the rate of good answers to a crowd.
func (s *source) peak(request *cpmv1.ProcessRequest, callers int, d time.Duration) float64 {
	start := time.Now()
	n := 0
	for _, a := range s.crowd(request, callers, d) {
		if a.verdict == good {
			n++
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

func signRequest(fsp, key string) *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: &cpmv1.JwsSignRequest{
		Method: "POST", Uri: "/quotes",
		Headers: map[string]string{"fspiop-source": fsp, "fspiop-destination": "Hub", "date": "Tue, 23 May 2017 21:12:31 GMT"},
		Content: &cpmv1.JwsSignRequest_Body{Body: fmt.Sprintf(quote, 7)},
		Key:     &cpmv1.KeySelector{Name: key},
	}}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
