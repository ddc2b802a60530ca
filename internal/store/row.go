package store

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Row is one row of a secured table: a pointer to one of the row types of this package. Its fields are strings, byte
// strings, numbers, truth values and ids of 16 bytes. Times and durations are microseconds (see Micros); 0 is unset.
type Row interface {
	// table is the name of the table.
	table() string
	// columns are the names of the columns without rev and mac; the first key of them are the primary key.
	columns() (key int, names []string)
	// fields appends pointers to the values, in the order of the columns.
	fields(dst []any) []any
}

// Ref names one row: its table and its primary key. It is what replicas learn from the changes.
type Ref struct {
	Table string
	// PK is the values of the key columns, joined by "/"; "/" and "%" within a value are escaped as in a URL. Ids are
	// hexadecimal.
	PK string
}

// RefTo gives the Ref of a row.
func RefTo(row Row) Ref {
	key, _ := row.columns()
	var parts []string
	for _, f := range row.fields(nil)[:key] {
		parts = append(parts, keyText(f))
	}
	return Ref{row.table(), strings.Join(parts, "/")}
}

// Row makes an empty row of the Ref's table with the primary key filled in, for example *Series with its ID. A Ref that
// names no row this program knows is an error.
func (r Ref) Row() (Row, error) {
	var s State
	for _, l := range s.lists() {
		if l.table() == r.Table {
			row := l.next()
			return row, setKey(row, r.PK)
		}
	}
	return nil, fmt.Errorf("no table is named %q", r.Table)
}

func keyText(field any) string {
	switch f := field.(type) {
	case *string:
		return strings.NewReplacer("%", "%25", "/", "%2F").Replace(*f)
	case *int64:
		return strconv.FormatInt(*f, 10)
	case *[16]byte:
		return hex.EncodeToString(f[:])
	}
	panic(fmt.Sprintf("a key column cannot be of type %T", field)) // a fault in a row type; the suite writes each once
}

func setKey(row Row, pk string) error {
	key, _ := row.columns()
	parts := strings.Split(pk, "/")
	if len(parts) != key {
		return fmt.Errorf("a key of %s has %d columns", row.table(), key)
	}
	for i, f := range row.fields(nil)[:key] {
		if err := setKeyColumn(f, parts[i]); err != nil {
			return fmt.Errorf("a key of %s: %w", row.table(), err)
		}
	}
	return nil
}

func setKeyColumn(field any, text string) (err error) {
	switch f := field.(type) {
	case *string:
		*f = strings.NewReplacer("%25", "%", "%2F", "/").Replace(text)
	case *int64:
		*f, err = strconv.ParseInt(text, 10, 64)
	case *[16]byte:
		if hex.DecodedLen(len(text)) != len(f) {
			return fmt.Errorf("an id has %d bytes", len(f))
		}
		_, err = hex.Decode(f[:], []byte(text))
	}
	return err
}

// Micros is a time as the tables hold it: microseconds since 1970, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the reverse of Micros, in UTC.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
