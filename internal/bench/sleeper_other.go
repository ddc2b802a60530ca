//go:build !linux

package bench

import "time"

// sleeper waits as precisely as the runtime's timers do.
type sleeper struct{}

func newSleeper() (*sleeper, error) { return new(sleeper), nil }

func (*sleeper) sleep(d time.Duration) { time.Sleep(d) }

func (*sleeper) close() {}
