package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestColumnsTakeOnlyWhatIsWrittenToThem(t *testing.T) {
	t.Parallel()
	var (
		text  string
		bytes []byte
		n     int64
		yes   bool
		id    [16]byte
		mac   [32]byte
	)
	for _, c := range []struct {
		field, src any
		ok         bool
	}{
		{&text, "a", true},
		{&text, []byte("a"), true},
		{&text, int64(1), false},
		{&text, nil, false},
		{&bytes, []byte{1}, true},
		{&bytes, []byte(nil), true},
		{&bytes, "a", false},
		{&bytes, nil, false},
		{&n, int64(-1), true},
		{&n, "1", false},
		{&n, 1.0, false},
		{&n, nil, false},
		{&yes, int64(0), true},
		{&yes, int64(1), true},
		{&yes, int64(2), false},
		{&yes, int64(-1), false},
		{&yes, "true", false},
		{&id, make([]byte, 16), true},
		{&id, make([]byte, 15), false},
		{&id, make([]byte, 17), false},
		{&id, []byte(nil), false},
		{&id, "0123456789abcdef", false},
		{&mac, make([]byte, 32), true},
		{&mac, make([]byte, 31), false},
		{&mac, make([]byte, 33), false},
	} {
		err := (&cell{c.field}).Scan(c.src)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, errMisfit) {
			t.Errorf("%T into %T: %v", c.src, c.field, err)
		}
	}
}

func TestBytesOfTheDriverAreCopied(t *testing.T) {
	t.Parallel()
	var got []byte
	owned := []byte{1}
	if err := (&cell{&got}).Scan(owned); err != nil {
		t.Fatal(err)
	}
	owned[0] = 2
	if got[0] != 1 {
		t.Error("the row shares the driver's bytes")
	}
}

func TestSumsAreModulo2To256(t *testing.T) {
	t.Parallel()
	full := func(b byte) (a [32]byte) {
		for i := range a {
			a[i] = b
		}
		return a
	}
	one := sumOf([32]byte{31: 1})
	s := sumOf(full(0xff))
	s.add(one)
	if s != (sum{}) {
		t.Errorf("2^256-1 plus 1 is %x", s.bytes())
	}
	s.subtract(one)
	if diff := cmp.Diff(full(0xff), s.bytes()); diff != "" {
		t.Error(diff)
	}
	carry := sumOf([32]byte{24: 0xff, 25: 0xff, 26: 0xff, 27: 0xff, 28: 0xff, 29: 0xff, 30: 0xff, 31: 0xff})
	carry.add(one)
	if diff := cmp.Diff([32]byte{23: 1}, carry.bytes()); diff != "" {
		t.Error(diff)
	}
}

// Two rows with different content must not have one encoding.
func TestMacsOfDifferentRowsDiffer(t *testing.T) {
	t.Parallel()
	inputs := map[string]string{}
	c := &checker{mac: func(p Purpose, data []byte) (sum [32]byte) { inputs[string(data)] += "x"; return sum }}
	all := tables(sqliteEngine().dialect)
	id := [16]byte{1}
	rows := []struct {
		row Row
		rev int64
	}{
		{&FSP{Name: "a", State: "b"}, 1},
		{&FSP{Name: "a", State: "b"}, 2},
		{&FSP{Name: "ab"}, 1},
		{&FSP{Name: "a", CreatedBy: "b"}, 1},
		{&FSP{Name: "a", UpdatedBy: "b"}, 1},
		{&FSP{Name: "a", CreatedAt: 1}, 1},
		{&FSP{Name: "a", Policy: []byte("b")}, 1},
		{&Setting{Name: "a"}, 1},
		{&Group{Name: "a"}, 1},
		{&Endpoint{Adapter: "a", Address: ""}, 1},
		{&Endpoint{Adapter: "", Address: "a"}, 1},
		{&Object{ID: id}, 1},
		{&Object{ID: id, Series: id}, 1},
		{&Object{ID: id, Parent: id}, 1},
		{&Adapter{Name: "a", Enabled: true}, 1},
		{&Adapter{Name: "a", Stopped: true}, 1},
	}
	for _, r := range rows {
		c.row(all[r.row.table()], r.row.fields(nil), r.rev)
	}
	if len(inputs) != len(rows) {
		t.Errorf("%d rows have %d encodings", len(rows), len(inputs))
	}
}

// Macs are compared for as long as a database lives, so what they cover must never change by accident.
func TestWhatARowsMacCovers(t *testing.T) {
	t.Parallel()
	var rows, shares []byte
	c := &checker{mac: func(p Purpose, data []byte) (sum [32]byte) {
		if p == RowMAC {
			rows = append(rows, data...)
		} else {
			shares = append(shares, data...)
		}
		return sum
	}}
	r := Series{ID: [16]byte{1}, Space: "payer", Policy: []byte("{}"), Current: 2, Deleted: true}
	series := tables(sqliteEngine().dialect)["series"]
	c.row(series, r.fields(nil), 258)
	c.share(series, r.fields(nil), [32]byte{31: 9})
	c.revision([16]byte{2}, 258, sum{7})
	id := "\x00\x00\x00\x10\x01" + strings.Repeat("\x00", 15)
	wantRows := "\x00\x00\x00\x06series" +
		"\x00\x00\x00\x02id" + id +
		"\x00\x00\x00\x05space\x00\x00\x00\x05payer" +
		"\x00\x00\x00\x06policy\x00\x00\x00\x02{}" +
		"\x00\x00\x00\x07current\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02" +
		"\x00\x00\x00\x07deleted\x00\x00\x00\x01\x01" +
		"\x00\x00\x00\x03rev\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x01\x02" +
		"\x00\x00\x00\x08revision\x02" + strings.Repeat("\x00", 15) + "\x00\x00\x00\x00\x00\x00\x01\x02" + strings.Repeat("\x00", 31) + "\x07"
	wantShares := "\x00\x00\x00\x06series" + id + strings.Repeat("\x00", 31) + "\x09"
	if diff := cmp.Diff(wantRows, string(rows)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantShares, string(shares)); diff != "" {
		t.Error(diff)
	}
}
