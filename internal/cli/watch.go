package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of the time between two looks: a status costs little, and a look a day is a job for a timer.
const (
	defaultInterval = 2 * time.Second
	minInterval     = 100 * time.Millisecond
	maxInterval     = time.Hour
)

// watching are the flags of a command that shows its answer again and again.
type watching struct {
	on       bool
	interval time.Duration
}

// clear empties the terminal; what is not one gets the answers one after the other.
func (w watching) clear(a *app) {
	f, file := a.io.Out.(*os.File)
	if !w.on || !file {
		return
	}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprint(f, "\x1b[H\x1b[2J\x1b[3J")
	}
}

// watch repeats show until ctx ends, which is no error. When the first look fails it ends; later ones are reported and
// tried again.
func (a *app) watch(ctx context.Context, interval time.Duration, show func() error) error {
	if interval < minInterval || interval > maxInterval {
		return wrongUse("the interval is a duration from %v to %v", minInterval, maxInterval)
	}
	if err := show(); err != nil && ctx.Err() == nil {
		return err
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := show()
		if err == nil || ctx.Err() != nil {
			continue
		}
		if _, ours := errors.AsType[*fault.Error](err); !ours {
			return err // the answer cannot be written any more
		}
		a.tell("error", fault.From(err).Public)
	}
}
