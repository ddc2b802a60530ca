package obs

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// crockford is the alphabet of ULIDs: base 32 without I, L, O and U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewRequestID makes an id for a request: a ULID, 26 characters, the first 10 the time in milliseconds, the rest random.
// Ids sort by the millisecond they were made in.
func NewRequestID() string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // it never fails: crypto/rand ends the process first
	return requestID(time.Now(), random)
}

func requestID(now time.Time, random [10]byte) string {
	hi := uint64(now.UnixMilli())<<16 | uint64(random[0])<<8 | uint64(random[1])
	lo := binary.BigEndian.Uint64(random[2:])
	var id [26]byte
	for i := len(id) - 1; i >= 0; i-- {
		id[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(id[:])
}
