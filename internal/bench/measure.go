package bench

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// series is one line of the report: the same case in every round.
type series struct {
	workload *workload
	// door is nil for the raw primitive.
	door *door
	// rate is arrivals per second of an open loop, 0 for the closed loop.
	rate    int
	results []result
}

// name is how progress and failures name the case.
func (s *series) name() string {
	name := s.workload.key.Algorithm + " " + s.workload.operation
	switch {
	case s.door == nil:
		return name + " raw"
	case s.rate > 0:
		return fmt.Sprintf("%s %s at %d/s", name, s.door.name, s.rate)
	}
	return name + " " + s.door.name
}

// group is what is compared with each other: the cases of one workload.
type group struct {
	raw    *series
	closed []*series
	open   []*series
}

// plan makes the groups. The open loop has single operations only: a batch arrives when its caller has filled it.
func plan(c Config, workloads []*workload, doors []door) []group {
	groups := make([]group, 0, len(workloads))
	for _, w := range workloads {
		g := group{raw: &series{workload: w}}
		for i := range doors {
			g.closed = append(g.closed, &series{workload: w, door: &doors[i]})
			for _, rate := range c.Rates {
				if doors[i].size == 1 {
					g.open = append(g.open, &series{workload: w, door: &doors[i], rate: rate})
				}
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// driver measures.
type driver struct {
	config Config
	server *server
	meter  meter
	tally  *tally
	// sleeper paces the open loop.
	sleeper *sleeper
	round   int
	// sampled signatures were verified through the server, sampledGood of them with success.
	sampled, sampledGood int
}

// measure runs everything and gathers the report.
func measure(ctx context.Context, c Config) (*report, error) {
	if c.ServerPID != 0 {
		if _, err := processTime(c.ServerPID); err != nil {
			return nil, fault.New(fault.Invalid, "the CPU time of the server's process cannot be read").Because(err)
		}
	}
	s, err := connect(c)
	if err != nil {
		return nil, err
	}
	defer s.close()
	workloads, err := prepare(ctx, c, s)
	if err != nil {
		return nil, err
	}
	groups := plan(c, workloads, s.doors(c))
	if groups[0].closed == nil {
		return nil, fault.New(fault.Invalid, "none of the transports has an address")
	}
	d := &driver{config: c, server: s, meter: meter{serverPID: c.ServerPID}, tally: new(tally)}
	if d.sleeper, err = newSleeper(); err != nil {
		return nil, fault.New(fault.Internal, "the clock of the open loop cannot be made").Because(err)
	}
	defer d.sleeper.close()
	return d.measureAll(ctx, groups)
}

// measureAll does the rounds.
func (d *driver) measureAll(ctx context.Context, groups []group) (*report, error) {
	for d.round = range d.config.Rounds {
		for _, g := range groups {
			if err := d.measureGroup(ctx, g); err != nil {
				return nil, err
			}
		}
	}
	return d.report(groups), nil
}

// measureGroup measures the raw primitive and right after it what is compared with it. Each round begins with another
// transport, so that none is always the furthest from the raw primitive.
func (d *driver) measureGroup(ctx context.Context, g group) error {
	if err := d.measureRaw(ctx, g.raw); err != nil {
		return err
	}
	for _, s := range slices.Concat(rotate(g.closed, d.round%len(g.closed)), g.open) {
		d.measureCase(ctx, s)
		if ctx.Err() != nil {
			return fault.New(fault.Timeout, "the run was ended before it was finished").Because(context.Cause(ctx))
		}
		s.results[d.round].raw = &g.raw.results[d.round]
		d.progress(s)
	}
	return nil
}

func (d *driver) measureRaw(ctx context.Context, s *series) error {
	do := s.workload.primitive.do(s.workload.operation)
	var failed error
	timed := d.timed(func() *record {
		done, err := runRaw(ctx, d.config.Duration, do)
		if err != nil {
			failed = err
			return new(record)
		}
		return done
	})
	if failed != nil {
		return fault.New(fault.Internal, "the raw primitive does not work in this process").Because(failed)
	}
	s.results = append(s.results, timed)
	d.progress(s)
	return nil
}

// measureCase runs one case once, and checks some of its signatures.
func (d *driver) measureCase(ctx context.Context, s *series) {
	limited, cancel := context.WithTimeout(ctx, d.config.Duration+patience+2*callTime)
	defer cancel()
	d.tally.at(s.name())
	opened, err := s.door.open(limited, s.workload, s.door.callers)
	if err != nil {
		d.tally.add(err, 1)
		s.results = append(s.results, notOpened())
		return
	}
	defer opened.close()
	r := &run{callers: opened.callers, size: s.door.size, duration: d.config.Duration, sleep: d.sleeper.sleep, tally: d.tally}
	warm := r.warm(limited)
	timed := d.timed(func() *record {
		if s.rate > 0 {
			return r.open(limited, s.rate)
		}
		return r.closed(limited)
	})
	timed.failed += warm.failed
	samples := r.samples()
	good := d.server.check(limited, samples, d.tally)
	d.sampled += len(samples)
	d.sampledGood += good
	s.results = append(s.results, timed)
}

// timed measures what a loop did, how long it took and what it cost.
func (d *driver) timed(loop func() *record) result {
	runtime.GC() // what earlier cases left behind is not this one's cost
	before := d.meter.read()
	start := time.Now()
	done := loop()
	elapsed := time.Since(start)
	return newResult(done, elapsed, d.meter.read().since(before))
}

// progress writes a line about the last result of a case.
func (d *driver) progress(s *series) {
	if d.config.Progress == nil {
		return
	}
	last := s.results[len(s.results)-1]
	text := fmt.Sprintf("round %d/%d  %s  %s/s", d.round+1, d.config.Rounds, s.name(), grouped(last.rate))
	if last.raw != nil && s.rate == 0 {
		text += fmt.Sprintf("  %.2f of raw", last.rate/last.raw.rate)
	}
	_, _ = io.WriteString(d.config.Progress, text+"\n")
}
