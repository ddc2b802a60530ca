//go:build unix

package cli

import (
	"os"
	"syscall"
)

// mine says whether a file is there and belongs to this user.
func mine(path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Geteuid())
}
