package store

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mojaloop/cpm/internal/fault"
)

// Purpose says what a MAC is for; each has a key of its own.
type Purpose uint8

// The purposes.
const (
	// RowMAC authenticates one row.
	RowMAC Purpose = iota + 1
	// RootMAC makes a row's share of the root.
	RootMAC
)

// MAC is a keyed hash. It must be safe for concurrent use and must not keep data.
type MAC func(purpose Purpose, data []byte) [32]byte

// checker computes the macs of rows in a buffer of its own; one goroutine at a time.
type checker struct {
	mac MAC
	buf []byte
}

// row is the mac of a row: over the table, the primary key, every other column that is not zero, each with its name, and
// the revision. Leaving zero values out keeps the macs of old rows right when a migration adds a column, and is as
// strict: one set of named values gives one encoding.
func (c *checker) row(t *table, fields []any, rev int64) [32]byte {
	b := appendText(c.buf[:0], t.name)
	for i, f := range fields {
		if i >= t.key && isZero(f) {
			continue
		}
		b = appendField(appendText(b, t.columns[i]), f)
	}
	b = appendNumber(appendText(b, "rev"), rev)
	c.buf = b
	return c.mac(RowMAC, b)
}

// share is what a row adds to the root: a keyed hash of table, primary key and mac.
func (c *checker) share(t *table, fields []any, mac [32]byte) sum {
	b := appendText(c.buf[:0], t.name)
	for _, f := range fields[:t.key] {
		b = appendField(b, f)
	}
	b = append(b, mac[:]...)
	c.buf = b
	return sumOf(c.mac(RootMAC, b))
}

// revision is the mac of the revision row. It binds the root to the revision and to the store's id.
func (c *checker) revision(store [16]byte, n int64, root sum) [32]byte {
	b := appendText(c.buf[:0], "revision")
	b = append(b, store[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // two's complement is as good
	whole := root.bytes()
	b = append(b, whole[:]...)
	c.buf = b
	return c.mac(RowMAC, b)
}

func isZero(field any) bool {
	switch f := field.(type) {
	case *string:
		return *f == ""
	case *[]byte:
		return len(*f) == 0
	case *int64:
		return *f == 0
	case *bool:
		return !*f
	case *[16]byte:
		return *f == [16]byte{}
	}
	return false
}

func appendField(b []byte, field any) []byte {
	switch f := field.(type) {
	case *string:
		return appendText(b, *f)
	case *[]byte:
		b = binary.BigEndian.AppendUint32(b, uint32(len(*f))) //nolint:gosec // no engine stores 4 GiB in one column
		return append(b, *f...)
	case *int64:
		return appendNumber(b, *f)
	case *bool:
		return append(b, 0, 0, 0, 1, boolByte(*f))
	case *[16]byte:
		return append(append(b, 0, 0, 0, 16), f[:]...)
	}
	panic(fmt.Sprintf("a column cannot be of type %T", field)) // a fault in a row type; the suite writes each once
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // no engine stores 4 GiB in one column
	return append(b, s...)
}

func appendNumber(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(n)) //nolint:gosec // two's complement is as good
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func equal(a, b [32]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// errMAC is the cause when a row and its mac do not belong together.
var errMAC = errors.New("the mac does not match")

// damaged is the answer to every row that is not as this program wrote it; where is for the log.
func damaged(where string, cause error) error {
	return fault.New(fault.State, "a stored row failed its integrity check").Because(fmt.Errorf("%s: %w", where, cause))
}
