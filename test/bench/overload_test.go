package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

const overloadEvidence = "../../docs/evidence/overload.txt"

// TestMeasureOverload measures what overload does to those who cause it and to the others, and keeps the figures. It runs
// on request only, for some minutes.
func TestMeasureOverload(t *testing.T) {
	if os.Getenv("CPM_MEASURE") == "" {
		t.Skip("figures depend on the machine; CPM_MEASURE=1 asks for them")
	}
	m := &measurement{t: t, p: startProcess(t), rounds: 4}
	m.say("Overload, by arrivals on a schedule over gRPC streams with mutual TLS; latency in ms from when the driver let each go.\n")
	m.say("The CPM (`cpm dev`) has one processor, the driver the others. %s\n", machine())
	must(t, m.p.cpm("key", "add", "--fsp", "payeefsp", "--name", "jws-ec", "--generate", "ES256"))
	must(t, m.p.cpm("key", "add", "--fsp", "payerfsp", "--name", "jws-ec", "--generate", "ES256"))
	must(t, m.p.cpm("key", "add", "--fsp", "payerfsp", "--name", "jws-4096", "--generate", "RS256", "--bits", "4096"))
	m.loud, m.quiet, m.clients = newSource(t, m.p, 4), newSource(t, m.p, 1), newClients(t, m.p, 4)
	if os.Getenv("CPM_MEASURE") == "short" { // to compare programs
		m.rounds = 1
		m.overload("RSA-2048", "jws", 64, 8*time.Second, m.loud)
		m.overload(through("RSA-2048"), "jws", 64, 8*time.Second, m.clients)
		m.storm("RSA-2048", "jws", 64)
		m.flood("flood", "jws", "jws", m.peak, 100)
		m.light(100)
		m.light(1000)
		return
	}
	if os.Getenv("CPM_MEASURE") == "clients" { // to compare clients
		m.overload(through("RSA-4096"), "jws-4096", 16, time.Minute, m.clients)
		m.overload(through("RSA-2048"), "jws", 64, time.Minute, m.clients)
		return
	}
	m.overload("RSA-4096", "jws-4096", 16, 15*time.Second, m.loud)
	m.overload(through("RSA-4096"), "jws-4096", 16, time.Minute, m.clients)
	m.storm("RSA-4096", "jws-4096", 16)
	m.overload("RSA-2048", "jws", 64, time.Minute, m.loud)
	m.overload(through("RSA-2048"), "jws", 64, time.Minute, m.clients)
	m.storm("RSA-2048", "jws", 64)
	m.httpStorm()
	m.quota()
	m.flood("an FSP without limits sends RSA-2048 at 5 times the capacity; another signs RS256", "jws", "jws", m.peak, 100)
	m.flood("an FSP without limits sends RSA-4096 at 5 times the capacity; another signs ES256", "jws-4096", "jws-ec", m.peak/7, 200)
	m.light(100)
	m.light(1000)
	t.Logf("\n%s", &m.out)
	must(t, os.WriteFile(overloadEvidence, m.out.Bytes(), 0o644))
}

// through names a load that comes through the product's own client.
func through(name string) string {
	return "Through four Go clients, which throttle themselves: " + name
}

type measurement struct {
	t           *testing.T
	p           *process
	loud, quiet *source
	clients     *clients
	peak        float64
	rounds      int // how often two loads are compared
	out         bytes.Buffer
}

func (m *measurement) say(format string, args ...any) {
	fmt.Fprintf(&m.out, format+"\n", args...)
	m.t.Logf(format, args...)
}

func machine() string {
	return fmt.Sprintf("%s, %d processors, %s/%s, %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// timed runs work and says how much processor time both sides used.
func (m *measurement) timed(work func() []*arrival) figures {
	server, own := m.p.cpu(), ownCPU()
	f := figuresOf(work())
	f.serverCPU, f.driverCPU = m.p.cpu()-server, ownCPU()-own
	return f
}

func (f figures) String() string {
	all := f.good + f.busy + f.failed
	text := fmt.Sprintf("%d asked, %d good (%.0f/s, p50 %.1f, p99 %.1f), %d busy (p99 %.1f), %d other",
		all, f.good, f.rate, f.goodP50, f.goodP99, f.busy, f.busyP99, f.failed)
	if f.spared > 0 {
		text += fmt.Sprintf("; %d of the busy by the client, p99 of the others %.1f", f.spared, f.saidP99)
	}
	if f.serverCPU == 0 {
		return text
	}
	return text + fmt.Sprintf("; the driver was late by %.1f (p99); CPU of the CPM %.2f, of the driver %.2f processors",
		f.lateP99, f.serverCPU.Seconds()/f.window.Seconds(), f.driverCPU.Seconds()/f.window.Seconds())
}

// load is who sends requests by the clock.
type load interface {
	run(request *cpmv1.ProcessRequest, rate int, d time.Duration) []*arrival
}

// overload sends five times what can be done, and then half of it again. So many in flight give the peak.
func (m *measurement) overload(name, key string, inFlight int, d time.Duration, from load) {
	request := signRequest("payerfsp", key)
	m.say("\n# %s signatures at 5 times the capacity for %v", name, d)
	m.loud.peak(request, inFlight, 10*time.Second) // virtual processors that have idled are faster for some seconds
	before := m.loud.peak(request, inFlight, d/3)
	usual := from.run(request, int(before/2), 5*time.Second)
	over := m.timed(func() []*arrival { return from.run(request, int(5*before), d) })
	recovery := from.run(request, int(before/2), 5*time.Second)
	after := m.loud.peak(request, inFlight, d/3)
	m.peak = (before + after) / 2
	m.say("peak, %d in flight, %v each: %.0f/s before, %.0f/s after", inFlight, d/3, before, after)
	m.say("half of it:  %s; the worst p99 of a quarter of a second %.1f", figuresOf(usual), worst(usual))
	m.say("overload:    %s", over)
	m.say("goodput %.0f %% of the peak", 100*over.rate/m.peak)
	m.say("half again:  %s; within twice that worst again after %v", figuresOf(recovery), back(recovery, 2*worst(usual)))
	m.turns(request, inFlight, from)
}

// turns compares the peak with five times as much in short turns, between which the speed of the processors changes little.
func (m *measurement) turns(request *cpmv1.ProcessRequest, inFlight int, from load) {
	const times = 8
	var peak, over float64
	for range times {
		p := m.loud.peak(request, inFlight, 3*time.Second)
		peak += p / times
		over += figuresOf(from.run(request, int(5*p), 5*time.Second)).rate / times
		time.Sleep(500 * time.Millisecond)
	}
	m.say("in turns, %d times: peak %.0f/s, at 5 times that %.0f/s, %.0f %%", times, peak, over, 100*over/peak)
}

// storm has many callers ask again as soon as they were declined, whatever they were told.
func (m *measurement) storm(name, key string, inFlight int) {
	const times, callers = 4, 1024
	request := signRequest("payerfsp", key)
	var peak, good float64
	for range times {
		peak += m.loud.peak(request, inFlight, 3*time.Second) / times
		good += m.loud.peak(request, callers, 5*time.Second) / times
		time.Sleep(500 * time.Millisecond)
	}
	m.say("\n# %d callers of %s who ask again at once\nin turns, %d times: peak %.0f/s, with them %.0f/s, %.0f %%", callers, name, times, peak, good, 100*good/peak)
}

// slot is the time whose p99 says whether everything is as usual.
const slot = 250 * time.Millisecond

// slots are the figures of each slot.
func slots(all []*arrival) []figures {
	var arrivals [][]*arrival
	for _, a := range all {
		i := int(a.due.Sub(all[0].due) / slot)
		for len(arrivals) <= i {
			arrivals = append(arrivals, nil)
		}
		arrivals[i] = append(arrivals[i], a)
	}
	var each []figures
	for _, some := range arrivals {
		if len(some) > 1 {
			each = append(each, figuresOf(some))
		}
	}
	return each
}

// worst is the largest p99 of a slot.
func worst(all []*arrival) float64 {
	most := 0.0
	for _, f := range slots(all) {
		most = max(most, f.goodP99)
	}
	return most
}

// back is when the p99 of a slot came below a limit for good, and nothing was declined any more.
func back(all []*arrival, limit float64) time.Duration {
	each := slots(all)
	for i := len(each) - 1; i >= 0; i-- {
		if each[i].goodP99 > limit || each[i].busy > 0 {
			return time.Duration(i+1) * slot
		}
	}
	return 0
}

// compare runs a quiet load beside one noise and another, in turns.
func (m *measurement) compare(request *cpmv1.ProcessRequest, rate int, noises [2]func() []*arrival) {
	var quiet, loud [2][]*arrival
	for range m.rounds {
		for i, noise := range noises {
			var both sync.WaitGroup
			var noisy []*arrival
			if noise != nil {
				both.Go(func() { noisy = noise() })
			}
			quiet[i] = append(quiet[i], m.quiet.run(request, rate, 5*time.Second)...)
			both.Wait()
			loud[i] = append(loud[i], noisy...)
			time.Sleep(500 * time.Millisecond)
		}
	}
	var p99 [2]float64
	for i, name := range []string{"without", "with"} {
		f := figuresOf(quiet[i])
		p99[i] = f.goodP99
		m.say("%-8s the other: %d good, p50 %.2f, p99 %.2f; %d busy, %d failed", name, f.good, f.goodP50, f.goodP99, f.busy, f.failed)
		if len(loud[i]) > 0 {
			f = figuresOf(loud[i])
			m.say("%-8s the noisy: %d good, %d busy (p99 %.2f), %d failed", name, f.good, f.busy, f.busyP99, f.failed)
		}
	}
	m.say("p99 of the other: %+.0f %%", 100*(p99[1]/p99[0]-1))
}

// quota has one FSP send at its quota, and at ten times that.
func (m *measurement) quota() {
	const quota = 50
	m.say("\n# An FSP with a limit of %d/s sends RS256 at that rate, and at 10 times that; another signs RS256 at 200/s", quota)
	m.p.apply(fmt.Sprintf("fsps:\n- name: payerfsp\n  policy: {limits: {perSecond: %d, burst: 10}}\n", quota))
	request := signRequest("payerfsp", "jws")
	at := func(rate int) func() []*arrival {
		return func() []*arrival { return m.loud.run(request, rate, 5*time.Second) }
	}
	defer func(n int, s *source) { m.rounds, m.quiet = n, s }(m.rounds, m.quiet)
	m.rounds *= 2 // the difference is small
	m.compare(signRequest("payeefsp", "jws"), 200, [2]func() []*arrival{at(quota), at(10 * quota)})
	m.say("\n# The same, both over the same streams, as a hub sends them")
	m.quiet = m.loud
	m.compare(signRequest("payeefsp", "jws"), 200, [2]func() []*arrival{at(quota), at(10 * quota)})
	m.p.apply("fsps:\n- name: payerfsp\n  policy: {}\n")
}

// flood has one FSP send five times the capacity, and nothing.
func (m *measurement) flood(what, loud, quiet string, capacity float64, rate int) {
	m.say("\n# %s at %d/s", what, rate)
	request := signRequest("payerfsp", loud)
	m.compare(signRequest("payeefsp", quiet), rate, [2]func() []*arrival{nil, func() []*arrival { return m.loud.run(request, int(5*capacity), 5*time.Second) }})
}

// light has many callers ask for ES256, and another FSP for RSA-2048 beside them.
func (m *measurement) light(rate int) {
	const callers = 256
	m.say("\n# %d callers ask for ES256 as fast as they get it; another signs RS256 at %d/s", callers, rate)
	request := signRequest("payerfsp", "jws-ec")
	m.compare(signRequest("payeefsp", "jws"), rate, [2]func() []*arrival{nil, func() []*arrival { return m.loud.crowd(request, callers, 5*time.Second) }})
}
