package access

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mojaloop/cpm/internal/cpm"
)

// User is an operator at a Command adapter (specification, "Command configuration").
type User struct {
	Name, Group string
	Enabled     bool
	// Certificates are the names of client certificates that show the user, Tokens the API tokens.
	Certificates []string
	Tokens       []Token
}

// Group names what its users may do: commands, and administrative actions.
type Group struct {
	Name     string
	Commands []string
}

// Bounds of a user, so that a mistake cannot make authentication slow.
const (
	maxCertificates = 64
	maxTokens       = 64
)

func (r *Rules) addGroups(groups []Group, actions []string) error {
	known := slices.Clone(actions)
	for _, c := range cpm.Commands() {
		known = append(known, string(c))
	}
	var problems []error
	for _, g := range groups {
		if !cpm.ValidName(g.Name) {
			problems = append(problems, fmt.Errorf("group %q: the name must be 1 to 128 visible characters without / \" \\", g.Name))
		}
		if _, twice := r.groups[g.Name]; twice {
			problems = append(problems, fmt.Errorf("group %q: is there twice", g.Name))
		}
		allowed := map[string]bool{}
		for _, c := range g.Commands {
			if !slices.Contains(known, c) {
				problems = append(problems, fmt.Errorf("group %q: %q is no command and no action", g.Name, c))
			}
			allowed[c] = true
		}
		r.groups[g.Name] = allowed
	}
	return errors.Join(problems...)
}

func (r *Rules) addUsers(users []User) error {
	var problems []error
	for i := range users {
		u := &users[i]
		for _, p := range r.addUser(u) {
			problems = append(problems, fmt.Errorf("user %q: %s", u.Name, p))
		}
	}
	return errors.Join(problems...)
}

// addUser takes one user in and gives what is wrong with it.
func (r *Rules) addUser(u *User) []string {
	var wrong []string
	note := func(bad bool, text string) {
		if bad {
			wrong = append(wrong, text)
		}
	}
	_, group := r.groups[u.Group]
	note(!cpm.ValidName(u.Name), `the name must be 1 to 128 visible characters without / " \`)
	note(r.users[u.Name] != nil, "is there twice")
	note(!group, fmt.Sprintf("the group %q is not known", u.Group))
	note(len(u.Certificates) > maxCertificates, fmt.Sprintf("has more than %d certificate names", maxCertificates))
	note(len(u.Tokens) > maxTokens, fmt.Sprintf("has more than %d tokens", maxTokens))
	r.users[u.Name] = u
	for _, name := range u.Certificates {
		note(name == "" || len(name) > maxIdentity, fmt.Sprintf("a certificate name has 1 to %d characters", maxIdentity))
		note(r.owners[name] != nil, fmt.Sprintf("the certificate name %q belongs to another user, or is there twice", name))
		r.owners[name] = u
	}
	for _, t := range u.Tokens {
		hash, good := t.hash()
		_, twice := r.tokens[t.ID]
		note(!good || t.ID == "" || twice, "a token cannot be read; revoke it and issue another")
		r.tokens[t.ID] = issued{user: u, hash: hash, expires: t.Expires}
	}
	return wrong
}

// maxIdentity bounds a certificate name: a DNS name has 253 characters, a URI of ours fewer than twice as many.
const maxIdentity = 512
