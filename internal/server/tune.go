package server

import (
	"runtime"
	"runtime/debug"
)

// gcPercent lets the heap grow to five times what is live before it is collected. A CPM keeps little and throws away much:
// with the default a tenth of an ECDSA signature's time went into collecting.
const gcPercent = 400

// tune sets the collector, unless GOGC says otherwise, and gives the scheduler a place for every worker that does heavy
// work beside those for everything else. With one place a processor the workers would hold them all, and the network would
// be read only every 10 ms; so the operating system, which ranks the workers' threads lower, decides instead.
func tune(heavyWorkers int) {
	const unset = 100
	if before := debug.SetGCPercent(gcPercent); before != unset {
		debug.SetGCPercent(before)
	}
	if heavyWorkers <= 0 {
		heavyWorkers = runtime.NumCPU()
	}
	runtime.GOMAXPROCS(runtime.NumCPU() + heavyWorkers)
}
