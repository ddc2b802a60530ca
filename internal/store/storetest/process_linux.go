package storetest

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// handOver gives a directory to the user whom asUser takes.
func handOver(dir, name string) error {
	if c := credential(name); c != nil {
		return os.Chown(dir, int(c.Uid), int(c.Gid))
	}
	return nil
}

// asUser has a command run as a user without rights, since the servers refuse to run as root, and end with this process.
func asUser(c *exec.Cmd, name string) {
	c.SysProcAttr = &syscall.SysProcAttr{Credential: credential(name), Pdeathsig: syscall.SIGKILL}
}

// credential is nil unless this is root.
func credential(name string) *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, n := range []string{name, "nobody"} {
		u, err := user.Lookup(n)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}
