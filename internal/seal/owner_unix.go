//go:build unix

package seal

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/mojaloop/cpm/internal/fault"
)

// owned refuses a file of another user.
func owned(info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fault.New(fault.State, "the root-key file belongs to another user; run: chown on it")
	}
	return nil
}
