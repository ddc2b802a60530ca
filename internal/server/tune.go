package server

import (
	"math"
	"runtime/debug"
)

// gcPercent lets the heap grow to five times what is live before it is collected. A CPM keeps little and throws away much:
// with the default a tenth of an ECDSA signature's time went into collecting.
const gcPercent = 400

// softLimit is the memory from which on the collector works harder, so that a few very large requests do not make the heap
// several times as large. It refuses nothing: limits.bytesInFlight does that.
const softLimit = 128 << 20

// tune sets the collector, unless GOGC or GOMEMLIMIT say otherwise. (A GOGC of 100, its default, counts as unset.)
func tune() {
	const unset = 100
	if before := debug.SetGCPercent(gcPercent); before != unset {
		debug.SetGCPercent(before)
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(softLimit)
	}
}
