//go:build !linux

package adapter

import "syscall"

// bound keeps the signals of our terminal from a process: what ends us ends it in order. It ends itself when its pipe does.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
