package bench

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"strings"
	"time"
)

// machine is what the figures were measured on.
type machine struct {
	Cores int       `json:"cores"`
	Procs int       `json:"gomaxprocs"`
	CPU   string    `json:"cpu"`
	Go    string    `json:"go"`
	OS    string    `json:"os"`
	Date  time.Time `json:"date"`
}

func thisMachine() machine {
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the model is not known
	return machine{
		Cores: runtime.NumCPU(),
		Procs: runtime.GOMAXPROCS(0),
		CPU:   cpuModel(text),
		Go:    runtime.Version(),
		OS:    runtime.GOOS + "/" + runtime.GOARCH,
		Date:  time.Now().UTC().Truncate(time.Second),
	}
}

// cpuModel finds the model in the text of /proc/cpuinfo.
func cpuModel(cpuinfo []byte) string {
	for lines := bufio.NewScanner(bytes.NewReader(cpuinfo)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "CPU model unknown"
}
