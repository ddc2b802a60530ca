package bench

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper waits by a timer of the kernel that the runtime polls like a connection. The runtime's own timers are up to a
// millisecond late in an idle process, which waits for the network in whole milliseconds, and that would be taken for
// latency of the server. Waiting in the kernel directly would keep a processor from the callers.
type sleeper struct {
	fd   int
	file *os.File
}

func newSleeper() (*sleeper, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	return &sleeper{fd: fd, file: os.NewFile(uintptr(fd), "timer")}, nil
}

// sleep waits that long; if the timer fails, with the runtime's precision.
func (s *sleeper) sleep(d time.Duration) {
	if d <= 0 {
		return // a timer set to 0 never fires
	}
	var expirations [8]byte
	err := unix.TimerfdSettime(s.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil)
	if err == nil {
		_, err = s.file.Read(expirations[:])
	}
	if err != nil {
		time.Sleep(d)
	}
}

func (s *sleeper) close() { _ = s.file.Close() }
