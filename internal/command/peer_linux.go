package command

import (
	"errors"
	"net"
	"syscall"
)

// ownerOnly sets the mode before bind makes the file, so that there is no moment when others could connect. Linux takes
// the new file's mode from the socket's own inode (net/unix/af_unix.c, unix_bind_bsd), narrowed by the umask.
func ownerOnly(_, _ string, raw syscall.RawConn) error {
	var inner error
	err := raw.Control(func(fd uintptr) { inner = syscall.Fchmod(int(fd), socketMode) })
	return errors.Join(err, inner)
}

// peerUID asks the kernel who opened the other end (unix(7), SO_PEERCRED).
func peerUID(c net.Conn) (uint32, error) {
	unix, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return 0, err
	}
	var (
		credentials *syscall.Ucred
		inner       error
	)
	err = raw.Control(func(fd uintptr) {
		credentials, inner = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err := errors.Join(err, inner); err != nil {
		return 0, err
	}
	return credentials.Uid, nil
}
