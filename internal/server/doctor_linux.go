package server

import (
	"errors"

	"golang.org/x/sys/unix"
)

// examineClock asks the kernel whether the clock follows a time server: certificates, key windows and tokens are judged
// by it.
func examineClock() Finding {
	const check = "clock"
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS):
		return warning(check, "look at it with: timedatectl", "the kernel does not tell whether the clock is synchronised")
	case err != nil:
		return warning(check, "look at it with: timedatectl", "the clock cannot be examined: %v", err)
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		return warning(check, "run a time service such as chrony or systemd-timesyncd, here or on the host", "the clock is not synchronised")
	}
	return ok(check, "the clock is synchronised")
}

// examineEntropy asks for random bytes without waiting.
func examineEntropy() Finding {
	const check = "entropy"
	if n, err := unix.Getrandom(make([]byte, 1), unix.GRND_NONBLOCK); err != nil || n != 1 {
		return failing(check, "wait until the machine has collected entropy, or give it a source such as virtio-rng", "there are no random numbers yet")
	}
	return ok(check, "the kernel has random numbers")
}
