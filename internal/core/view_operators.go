package core

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/store"
)

// OperatorsView is everything that says who may command.
type OperatorsView struct {
	Users     []UserView       `json:"users"`
	Groups    []GroupEntry     `json:"groups"`
	Whitelist []WhitelistEntry `json:"whitelist"`
}

// UserView is one operator.
type UserView struct {
	Name         string      `json:"name"`
	Group        string      `json:"group"`
	Enabled      bool        `json:"enabled"`
	Certificates []string    `json:"certificates"`
	Tokens       []TokenView `json:"tokens"`
	Created      time.Time   `json:"created"`
	Updated      time.Time   `json:"updated"`
}

// TokenView is a token without what would let anybody use it.
type TokenView struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// Operators lists users, groups and whitelists, each by name.
func (c *Core) Operators() OperatorsView {
	t := c.snapshot.Load().rows
	v := OperatorsView{Users: []UserView{}, Groups: []GroupEntry{}, Whitelist: []WhitelistEntry{}}
	for _, name := range slices.Sorted(maps.Keys(t.users)) {
		v.Users = append(v.Users, userView(t.users[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(t.groups)) {
		v.Groups = append(v.Groups, GroupEntry{Name: name, Commands: t.commandsOf(name)})
	}
	addresses := map[string][]string{}
	for r := range t.whitelist {
		addresses[r.Adapter] = append(addresses[r.Adapter], r.Address)
	}
	for _, adapter := range slices.Sorted(maps.Keys(addresses)) {
		slices.Sort(addresses[adapter])
		v.Whitelist = append(v.Whitelist, WhitelistEntry{Adapter: adapter, Addresses: addresses[adapter]})
	}
	return v
}

func userView(row store.User) UserView {
	k, _ := credentialsOf(row) // the snapshot was made of it
	v := UserView{
		Name: row.Name, Group: row.Group, Enabled: row.Enabled, Certificates: append([]string{}, k.Certificates...), Tokens: []TokenView{},
		Created: store.Time(row.CreatedAt), Updated: store.Time(row.UpdatedAt),
	}
	for _, t := range k.Tokens {
		v.Tokens = append(v.Tokens, TokenView{t.ID, t.Created, t.Expires})
	}
	slices.SortFunc(v.Tokens, func(a, b TokenView) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return v
}
