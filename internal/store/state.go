package store

import "slices"

// State holds rows as they were at one revision, by table and in the order of their primary keys: all of them after
// Load, the ones asked for after Reload.
type State struct {
	Position

	FSPs          []FSP
	Series        []Series
	Objects       []Object
	Links         []Link
	Adapters      []Adapter
	Endpoints     []Endpoint
	HSMs          []HSM
	Routes        []Route
	Grants        []Grant
	Groups        []Group
	Users         []User
	GroupCommands []GroupCommand
	Whitelist     []Whitelist
	Proposals     []Proposal
	Approvals     []Approval
	RootTerms     []RootTerm
	KEKs          []KEK
	Settings      []Setting
	KeyUpdates    []KeyUpdate
}

// lists is the register of the secured tables: whatever is not here does not exist for the store.
func (s *State) lists() []list {
	return []list{
		in(&s.FSPs), in(&s.Series), in(&s.Objects), in(&s.Links),
		in(&s.Adapters), in(&s.Endpoints), in(&s.HSMs), in(&s.Routes),
		in(&s.Grants), in(&s.Groups), in(&s.Users), in(&s.GroupCommands), in(&s.Whitelist),
		in(&s.Proposals), in(&s.Approvals), in(&s.RootTerms), in(&s.KEKs), in(&s.Settings),
		in(&s.KeyUpdates),
	}
}

// list is one table's place in a State, whatever its row type.
type list interface {
	table() string
	// next appends an empty row and returns it.
	next() Row
	// drop takes the last row away again.
	drop()
}

// pointer is the constraint that *T is a Row.
type pointer[T any] interface {
	*T
	Row
}

type rowsOf[T any, P pointer[T]] struct{ rows *[]T }

func in[T any, P pointer[T]](rows *[]T) list { return rowsOf[T, P]{rows} }

func (s rowsOf[T, P]) table() string { return P(new(T)).table() }

func (s rowsOf[T, P]) next() Row {
	if n := len(*s.rows); n == cap(*s.rows) {
		*s.rows = slices.Grow(*s.rows, n+1) // doubles: append by itself copies long lists more often
	}
	var empty T
	*s.rows = append(*s.rows, empty)
	return P(&(*s.rows)[len(*s.rows)-1])
}

func (s rowsOf[T, P]) drop() { *s.rows = (*s.rows)[:len(*s.rows)-1] }
