//go:build unix

package adapter

import "syscall"

// ownSession keeps the signals of our terminal and our process group away from a program.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
