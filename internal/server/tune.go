package server

import "runtime/debug"

// gcPercent lets the heap grow to five times what is live before it is collected. A CPM keeps little and throws away much:
// with the default a tenth of an ECDSA signature's time went into collecting.
const gcPercent = 400

// tune sets the collector, unless GOGC says otherwise.
func tune() {
	const unset = 100
	if before := debug.SetGCPercent(gcPercent); before != unset {
		debug.SetGCPercent(before)
	}
}
