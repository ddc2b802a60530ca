package ssm

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// heavyNice is the nice value of a thread that does heavy work.
const heavyNice = 10

// rankBelow binds the goroutine to a thread that the kernel ranks below those which read the network. Where it is not
// allowed the work is done all the same, only less fairly.
func rankBelow() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), heavyNice)
}
