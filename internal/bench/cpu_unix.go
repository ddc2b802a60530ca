//go:build unix

package bench

import (
	"syscall"
	"time"
)

// ownTime is the CPU time of this process, user and system (getrusage(2)).
func ownTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return unknown
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
