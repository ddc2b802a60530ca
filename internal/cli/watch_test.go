package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

func TestWatchShowsAgainUntilItIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second)
		defer cancel()
		var talk bytes.Buffer
		a := &app{io: Streams{Err: &talk}}
		looks := 0
		err := a.watch(ctx, 10*time.Second, func() error {
			if looks++; looks == 3 {
				return fault.New(fault.Unavailable, "nobody answers")
			}
			return nil
		})
		if err != nil || looks != 7 {
			t.Errorf("%d looks, %v", looks, err)
		}
		if strings.Count(talk.String(), "cpm: error: nobody answers") != 1 {
			t.Error(talk.String())
		}
	})
}

func TestWatchEndsWhenThereIsNothingToShow(t *testing.T) {
	t.Parallel()
	a := &app{io: Streams{Err: &bytes.Buffer{}}}
	none := fault.New(fault.Unavailable, "nobody answers")
	if err := a.watch(t.Context(), time.Second, func() error { return none }); !errors.Is(err, none) {
		t.Error(err)
	}
	closed := errors.New("the pipe is closed")
	looks := 0
	err := a.watch(t.Context(), minInterval, func() error {
		if looks++; looks > 1 {
			return closed
		}
		return nil
	})
	if !errors.Is(err, closed) || looks != 2 {
		t.Errorf("%d looks, %v", looks, err)
	}
	for _, wrong := range []time.Duration{0, -time.Second, time.Millisecond, 2 * time.Hour} {
		if err := a.watch(t.Context(), wrong, func() error { return nil }); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
