package server

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mojaloop/cpm/internal/fault"
)

// lock makes sure that one process at a time works on a data directory. The operating system lets go of it when the
// process ends, however it ends.
func lock(dataDir string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dataDir, "cpm.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.New(fault.State, "the data directory cannot be used; check that it exists and belongs to this user").Because(err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		_ = f.Close()
		return nil, fault.New(fault.State, "another CPM works on this data directory; administer it through its socket or stop it first")
	}
	if err != nil {
		_ = f.Close()
		return nil, fault.New(fault.State, "the data directory cannot be locked").Because(err)
	}
	return func() {
		// Closing alone would leave the lock with a process that is just being started and has inherited it.
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
		_ = f.Close()
	}, nil
}
