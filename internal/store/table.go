package store

import (
	"fmt"
	"slices"
	"strings"
)

// table is a row type with the SQL made from it. There is no other SQL about secured tables.
type table struct {
	name    string
	key     int      // the first key columns are the primary key
	columns []string // without rev and mac

	selectAll, selectOne, selectMAC, insert, update, remove string
}

func newTable(d dialect, row Row) *table {
	key, columns := row.columns()
	t := &table{name: row.table(), key: key, columns: columns}
	all := append(slices.Clone(columns), "rev", "mac")
	from := " FROM " + quoted(t.name)
	where := " WHERE " + assignments(d, columns[:key], " AND ", 0)
	t.selectAll = "SELECT " + names(all) + from + " ORDER BY " + names(columns[:key])
	t.selectOne = "SELECT " + names(all) + from + where
	t.selectMAC = "SELECT " + quoted("mac") + from + where
	t.insert = "INSERT INTO " + quoted(t.name) + " (" + names(all) + ") VALUES (" + placeholders(d, len(all)) + ")"
	t.update = "UPDATE " + quoted(t.name) + " SET " + assignments(d, all[key:], ", ", 0) +
		" WHERE " + assignments(d, columns[:key], " AND ", len(all)-key)
	t.remove = "DELETE" + from + where
	return t
}

// selectBy reads the rows with one value in a column, ordered by another.
func (t *table) selectBy(d dialect, columns []string, order string) string {
	return "SELECT " + names(append(slices.Clone(t.columns), "rev", "mac")) + " FROM " + quoted(t.name) +
		" WHERE " + assignments(d, columns, " AND ", 0) + " ORDER BY " + quoted(order)
}

// quoted makes an identifier that may be a reserved word ("from", "to", "use", "groups") safe. MariaDB and MySQL
// understand it in the mode ANSI_QUOTES.
func quoted(name string) string { return `"` + name + `"` }

func names(columns []string) string {
	q := make([]string, len(columns))
	for i, c := range columns {
		q[i] = quoted(c)
	}
	return strings.Join(q, ", ")
}

// assignments is `"a" = ?, "b" = ?` with placeholders that count on from the given number.
func assignments(d dialect, columns []string, separator string, from int) string {
	q := make([]string, len(columns))
	for i, c := range columns {
		q[i] = quoted(c) + " = " + d.placeholder(from+i+1)
	}
	return strings.Join(q, separator)
}

func placeholders(d dialect, n int) string {
	q := make([]string, n)
	for i := range q {
		q[i] = d.placeholder(i + 1)
	}
	return strings.Join(q, ", ")
}

// tables describes every secured table for a dialect, by name.
func tables(d dialect) map[string]*table {
	all := map[string]*table{}
	var s State
	for _, l := range s.lists() {
		t := newTable(d, l.next())
		all[t.name] = t
	}
	for _, row := range []Row{&Change{}, &Replica{}, &keyUse{}} {
		t := newTable(d, row)
		all[t.name] = t
	}
	return all
}

// tableOf finds the description of a row's table among those that callers may write.
func (s *Store) tableOf(row Row) (*table, error) {
	t, ok := s.tables[row.table()]
	if !ok || slices.Contains([]string{changesTable, replicasTable, keyUsesTable}, row.table()) {
		return nil, fmt.Errorf("table %s is not for callers", row.table())
	}
	return t, nil
}

// Table describes one secured table: its name, the columns without rev and mac, and how many of them, from the left, are
// the primary key.
type Table struct {
	Name    string
	Columns []string
	Key     int
}

// Schema lists the secured tables whose rows count in the root, in the order of State. Each also has the columns rev and
// mac.
func Schema() []Table {
	var (
		s   State
		all []Table
	)
	for _, l := range s.lists() {
		key, columns := l.next().columns()
		all = append(all, Table{Name: l.table(), Columns: columns, Key: key})
	}
	return all
}
