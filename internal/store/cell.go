package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
)

// cell takes one column of a result into a field of a row. It accepts exactly what is written for the field's type, so
// that no second spelling of a value (2 for true, a short id) has the mac of the first.
type cell struct{ field any }

// Scan implements sql.Scanner. The driver owns the bytes of src.
func (c *cell) Scan(src any) error {
	switch v := src.(type) {
	case string:
		if f, ok := c.field.(*string); ok {
			*f = v
			return nil
		}
	case []byte:
		return c.scanBytes(v)
	case int64:
		switch f := c.field.(type) {
		case *int64:
			*f = v
			return nil
		case *bool:
			*f = v == 1
			if v == 0 || v == 1 {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: %T for %T", errMisfit, src, c.field)
}

// errMisfit is the cause when a column holds what no write of this program puts there.
var errMisfit = errors.New("a column holds a value that does not belong there")

func (c *cell) scanBytes(v []byte) error {
	switch f := c.field.(type) {
	case *[]byte:
		*f = bytes.Clone(v)
		if len(v) == 0 {
			*f = nil
		}
		return nil
	case *string: // engines whose binary text is bytes to the driver
		*f = string(v)
		return nil
	case *[16]byte:
		if copy(f[:], v) == len(v) && len(v) == len(f) {
			return nil
		}
	case *[32]byte:
		if copy(f[:], v) == len(v) && len(v) == len(f) {
			return nil
		}
	}
	return fmt.Errorf("%w: %d bytes for %T", errMisfit, len(v), c.field)
}

// value is what the driver is given for a field. No column is ever NULL.
func value(field any) any {
	switch f := field.(type) {
	case *string:
		return *f
	case *[]byte:
		if *f == nil {
			return []byte{}
		}
		return *f
	case *int64:
		return *f
	case *bool:
		return int64(boolByte(*f))
	case *[16]byte:
		return f[:]
	}
	panic(fmt.Sprintf("a column cannot be of type %T", field)) // a fault in a row type; the suite writes each once
}

// empty sets every field to its zero value.
func empty(fields []any) {
	for _, field := range fields {
		switch f := field.(type) {
		case *string:
			*f = ""
		case *[]byte:
			*f = nil
		case *int64:
			*f = 0
		case *bool:
			*f = false
		case *[16]byte:
			*f = [16]byte{}
		}
	}
}

// reader reads and verifies rows of one table through cells that are used again for each row.
type reader struct {
	table  *table
	check  *checker
	fields []any
	cells  []cell
	dest   []any
	rev    int64
	mac    [32]byte
}

func newReader(t *table, c *checker) *reader {
	n := len(t.columns) + 2
	r := &reader{table: t, check: c, fields: make([]any, 0, n), cells: make([]cell, n), dest: make([]any, n)}
	for i := range r.cells {
		r.dest[i] = &r.cells[i]
	}
	r.cells[n-2].field, r.cells[n-1].field = &r.rev, &r.mac
	return r
}

// read scans the present row of a result into row and verifies it; a row that fails is emptied.
func (r *reader) read(row Row, rows *sql.Rows) error {
	r.fields = row.fields(r.fields[:0])
	for i, f := range r.fields {
		r.cells[i].field = f
	}
	err := rows.Scan(r.dest...)
	if err == nil && !equal(r.mac, r.check.row(r.table, r.fields, r.rev)) {
		err = errMAC
	}
	if err == nil {
		return nil
	}
	where := "table " + r.table.name + ", key " + RefTo(row).PK
	empty(r.fields)
	if errors.Is(err, errMAC) || errors.Is(err, errMisfit) {
		return damaged(where, err)
	}
	return err
}

// share is what the row read last adds to the root.
func (r *reader) share() sum { return r.check.share(r.table, r.fields, r.mac) }

// eachRow reads and verifies all rows of a result, each into what next gives, and closes it. seen is called after each.
func eachRow(rows *sql.Rows, t *table, c *checker, next func() Row, seen func(*reader) error) error {
	defer func() { _ = rows.Close() }()
	r := newReader(t, c)
	for rows.Next() {
		if err := r.read(next(), rows); err != nil {
			return err
		}
		if err := seen(r); err != nil {
			return err
		}
	}
	return rows.Err()
}
