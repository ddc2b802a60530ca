package adapter

import "syscall"

// bound binds a process to our life, and keeps the signals of our terminal from it: what ends us ends it in order.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
