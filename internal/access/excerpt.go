package access

import (
	"cmp"
	"errors"
	"slices"

	"github.com/mojaloop/cpm/internal/cpm"
)

// Excerpt is the part of the rules that decides about some commands through one adapter. A Command adapter keeps that of
// the last core it had, to decide by it while no core can be asked. Tokens are in it as hashes only.
type Excerpt struct {
	Users []ExcerptUser `json:"users"`
	// Whitelist has the ranges commands may come from; without any they may not come from anywhere.
	Whitelist []string `json:"whitelist"`
}

// ExcerptUser is one user who may send at least one of the commands.
type ExcerptUser struct {
	Name         string            `json:"name"`
	Certificates []string          `json:"certificates"`
	Tokens       []Token           `json:"tokens"`
	Commands     []cpm.CommandName `json:"commands"`
}

// Excerpt takes out what decides about the commands through an adapter. The same rules give the same excerpt, byte by byte.
func (r *Rules) Excerpt(adapter string, commands ...cpm.CommandName) Excerpt {
	e := Excerpt{Users: []ExcerptUser{}, Whitelist: []string{}}
	for _, u := range r.users {
		x := ExcerptUser{Name: u.Name, Certificates: slices.Clone(u.Certificates), Tokens: slices.Clone(u.Tokens)}
		for _, c := range commands {
			if r.mayNamed(u.Name, string(c)) {
				x.Commands = append(x.Commands, c)
			}
		}
		if len(x.Commands) > 0 {
			slices.Sort(x.Certificates)
			slices.SortFunc(x.Tokens, func(a, b Token) int { return cmp.Compare(a.ID, b.ID) })
			e.Users = append(e.Users, x)
		}
	}
	slices.SortFunc(e.Users, func(a, b ExcerptUser) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range r.ranges[adapter] {
		e.Whitelist = append(e.Whitelist, p.String())
	}
	slices.Sort(e.Whitelist)
	return e
}

// Bounds of an excerpt that comes over a link.
const (
	maxExcerptUsers  = 10_000
	maxExcerptRanges = 10_000
)

// Rules makes rules of the excerpt, for the adapter it is of. Its error names every problem.
func (e Excerpt) Rules(adapter string) (*Rules, error) {
	if len(e.Users) > maxExcerptUsers || len(e.Whitelist) > maxExcerptRanges {
		return nil, errors.New("the excerpt has more users or addresses than an adapter takes")
	}
	var c Config
	for _, u := range e.Users {
		g := Group{Name: u.Name} // one for each user: what the user's own group allows beside is left out
		for _, command := range u.Commands {
			g.Commands = append(g.Commands, string(command))
		}
		c.Groups = append(c.Groups, g)
		c.Users = append(c.Users, User{Name: u.Name, Group: u.Name, Enabled: true, Certificates: u.Certificates, Tokens: u.Tokens})
	}
	for _, w := range e.Whitelist {
		c.Whitelist = append(c.Whitelist, Range{Adapter: adapter, Address: w})
	}
	return New(c)
}
