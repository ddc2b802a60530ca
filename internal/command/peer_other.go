//go:build !linux

package command

import (
	"errors"
	"net"
	"syscall"
)

// ownerOnly does nothing: elsewhere the mode is set after bind, and callers are denied by peerUID anyway.
func ownerOnly(_, _ string, _ syscall.RawConn) error { return nil }

// peerUID does not know the caller: the administration socket is for Linux.
func peerUID(net.Conn) (uint32, error) { return 0, errors.ErrUnsupported }
