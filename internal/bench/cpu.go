package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of CPU time in /proc, which Linux fixes for programs at a hundredth of a second (proc(5), USER_HZ).
const tick = time.Second / 100

// unknown is a CPU time that could not be read.
const unknown = time.Duration(-1)

// errStat is the answer to text that is not what proc(5) says.
var errStat = errors.New("not the form of /proc")

// usage is CPU time, user and system, since some time in the past.
type usage struct {
	client, server time.Duration
	// machine is the time of everything on this machine.
	machine time.Duration
}

// meter reads CPU times.
type meter struct{ serverPID int }

// read is the CPU time used until now; unknown where it cannot be read.
func (m meter) read() usage {
	u := usage{client: ownTime(), server: unknown, machine: unknown}
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		u.machine = orUnknown(machineTime(text))
	}
	if m.serverPID != 0 {
		u.server = orUnknown(processTime(m.serverPID))
	}
	return u
}

// processTime is the CPU time of a process and all its threads.
func processTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseProcess(text)
}

// since is what was used between two readings.
func (u usage) since(earlier usage) usage {
	return usage{
		client:  difference(u.client, earlier.client),
		server:  difference(u.server, earlier.server),
		machine: difference(u.machine, earlier.machine),
	}
}

func difference(later, earlier time.Duration) time.Duration {
	if later == unknown || earlier == unknown {
		return unknown
	}
	return max(0, later-earlier)
}

func orUnknown(d time.Duration, err error) time.Duration {
	if err != nil {
		return unknown
	}
	return d
}

// parseProcess reads /proc/PID/stat: user and system time are fields 14 and 15. Field 2, the name, is in parentheses and
// can hold anything, parentheses too, so the count begins after the last one.
func parseProcess(stat []byte) (time.Duration, error) {
	const firstField, userField = 3, 14
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errStat
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < userField-firstField+2 {
		return 0, errStat
	}
	return sumTicks(fields[userField-firstField : userField-firstField+2])
}

// machineTime reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq. The others are time that
// a hypervisor took, or counted already.
func machineTime(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 8 || string(fields[0]) != "cpu" {
		return 0, errStat
	}
	return sumTicks([][]byte{fields[1], fields[2], fields[3], fields[6], fields[7]})
}

func sumTicks(fields [][]byte) (time.Duration, error) {
	var sum time.Duration
	for _, f := range fields {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil || n < 0 {
			return 0, errStat
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
