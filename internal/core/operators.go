package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/route"
	"github.com/mojaloop/cpm/internal/store"
)

// credentials are the attributes of a user's row.
type credentials struct {
	Certificates []string       `json:"certificates"`
	Tokens       []access.Token `json:"tokens"`
}

func credentialsOf(row store.User) (c credentials, err error) {
	if len(row.Attrs) == 0 {
		return c, nil
	}
	if err = json.Unmarshal(row.Attrs, &c); err != nil {
		err = fmt.Errorf("user %q: what is stored of it cannot be read: %w", row.Name, err)
	}
	return c, err
}

// attrs writes the attributes in one form, so that the same user twice is the same row.
func (c credentials) attrs() []byte {
	slices.Sort(c.Certificates)
	if c.Certificates == nil {
		c.Certificates = []string{}
	}
	if c.Tokens == nil {
		c.Tokens = []access.Token{}
	}
	text, _ := json.Marshal(c) // texts and dates always encode
	return text
}

// putOperators adds or replaces the rows that say who may command.
func (t tables) putOperators(s *store.State) {
	for _, r := range s.Users {
		t.users[r.Name] = r
	}
	for _, r := range s.Groups {
		t.groups[r.Name] = r
	}
	for _, r := range s.GroupCommands {
		t.commands[[2]string{r.Group, r.Command}] = r
	}
	for _, r := range s.Whitelist {
		t.whitelist[access.Range{Adapter: r.Adapter, Address: r.Address}] = r
	}
}

func (t tables) removeOperator(row store.Row) {
	switch row := row.(type) {
	case *store.User:
		delete(t.users, row.Name)
	case *store.Group:
		delete(t.groups, row.Name)
	case *store.GroupCommand:
		delete(t.commands, [2]string{row.Group, row.Command})
	case *store.Whitelist:
		delete(t.whitelist, access.Range{Adapter: row.Adapter, Address: row.Address})
	}
}

// operators gives the rows as the rules want them.
func (t tables) operators() (access.Config, error) {
	c := access.Config{Whitelist: slices.Collect(maps.Keys(t.whitelist))}
	var problems []error
	for _, row := range t.users {
		k, err := credentialsOf(row)
		problems = append(problems, err)
		c.Users = append(c.Users, access.User{
			Name: row.Name, Group: row.Group, Enabled: row.Enabled, Certificates: k.Certificates, Tokens: k.Tokens,
		})
	}
	for name := range t.groups {
		c.Groups = append(c.Groups, access.Group{Name: name, Commands: t.commandsOf(name)})
	}
	return c, errors.Join(problems...)
}

// commandsOf lists what a group may do, in order.
func (t tables) commandsOf(group string) []string {
	all := []string{}
	for k := range t.commands {
		if k[0] == group {
			all = append(all, k[1])
		}
	}
	slices.Sort(all)
	return all
}

// checkWhitelist wants a whitelist to hang on an adapter whose callers are judged by it: elsewhere it would look like a bound
// and be none.
func (t tables) checkWhitelist() error {
	var problems []error
	seen := map[string]bool{}
	for r := range t.whitelist {
		a, known := t.adapters[r.Adapter]
		if !seen[r.Adapter] && (!known || a.Type != route.TypeCommand) {
			problems = append(problems, fmt.Errorf("whitelist of %q: no Command adapter has the name", r.Adapter))
		}
		seen[r.Adapter] = true
	}
	return errors.Join(problems...)
}
