//go:build !unix

package adapter

import "syscall"

// ownSession is nothing where there are no sessions.
func ownSession() *syscall.SysProcAttr { return nil }
