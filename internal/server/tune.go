package server

import (
	"math"
	"os"
	"runtime/debug"
)

// garbage is how much is thrown away, at least, between two runs of the collector. A CPM keeps little and throws away much: left to
// itself the collector would run several times a second under load, and the requests of those moments would wait for it.
const garbage = 64 << 20

// spare is memory that the collector counts as in use, for it runs when the heap is twice that. Nobody touches it, so the system gives
// no page for it. A larger GOGC would do the same for few keys, and let the heap of many keys grow as many times; a memory limit would have
// the collector run all the time once the keys take that much.
type spare []byte

// tune gives the spare memory, to be kept as long as the process serves; none when GOGC or GOMEMLIMIT say how the collector shall work.
func tune() spare {
	if os.Getenv("GOGC") != "" || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return nil
	}
	return make(spare, garbage)
}
