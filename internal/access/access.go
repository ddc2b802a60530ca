// Package access says who may do what. Everything not granted is denied.
package access

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Any stands for every FSP or every operation in a grant.
const Any = "*"

// Grant lets a principal do an operation for an FSP.
type Grant struct {
	// Principal is kind and name, for example "certificate:ml-api-adapter.mojaloop".
	Principal string
	// Space is an FSP or Any.
	Space string
	// Operation is an operation or Any. Any never covers an operation that protects: signing for an FSP is granted by name.
	Operation string
}

// Config is everything Rules are made of.
type Config struct {
	Grants []Grant
	// Users, Groups and Whitelist say who may command, and from where.
	Users     []User
	Groups    []Group
	Whitelist []Range
	// Actions are the names of the administrative actions, which groups may name beside the commands.
	Actions []string
}

// Rules are immutable; a change of grants, users, groups or whitelist makes new ones.
type Rules struct {
	grants  map[Grant]struct{}
	protect map[cpm.Operation]bool

	users map[string]*User
	// owners and tokens find the user of a certificate name, and of a token by its id.
	owners map[string]*User
	tokens map[string]issued
	groups map[string]map[string]bool
	ranges map[string][]netip.Prefix
}

// New checks everything and makes Rules. Its error names every problem.
func New(c Config) (*Rules, error) {
	r := &Rules{
		grants: make(map[Grant]struct{}, len(c.Grants)), protect: map[cpm.Operation]bool{}, users: map[string]*User{},
		owners: map[string]*User{}, tokens: map[string]issued{}, groups: map[string]map[string]bool{}, ranges: map[string][]netip.Prefix{},
	}
	for _, row := range cpm.Operations() {
		r.protect[row.Operation] = row.ByName()
	}
	var problems []error
	for _, g := range c.Grants {
		problems = append(problems, r.check(g))
		r.grants[g] = struct{}{}
	}
	problems = append(problems, r.addGroups(c.Groups, c.Actions), r.addUsers(c.Users), r.addRanges(c.Whitelist))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Rules) check(g Grant) error {
	protect, known := r.protect[cpm.Operation(g.Operation)]
	switch {
	case g.Principal == "" || g.Principal == Any:
		return fmt.Errorf("grant %s %s: name the principal", g.Space, g.Operation)
	case !known && g.Operation != Any:
		return fmt.Errorf("grant %s %s %s: the operation is not known", g.Principal, g.Space, g.Operation)
	case g.Space != Any && !cpm.ValidName(g.Space):
		return fmt.Errorf("grant %s %s: the FSP must be a name or %q", g.Principal, g.Operation, Any)
	case protect && g.Space == Any:
		return fmt.Errorf("grant %s %s: name the FSP: this operation uses its private key", g.Principal, g.Operation)
	}
	return nil
}

// CheckPrincipal is an error unless a caller of the Mojaloop port or an operator can be named so. Changes are checked with
// it; New is not as strict, since a database may hold grants from before there was this check.
func CheckPrincipal(name string) error {
	kind, rest, _ := strings.Cut(name, ":")
	switch cpm.PrincipalKind(kind) { //nolint:exhaustive // no other kind asks for operations
	case cpm.PrincipalCertificate, cpm.PrincipalLoopback, cpm.PrincipalSocket, cpm.PrincipalUser:
		if rest != "" {
			return nil
		}
	}
	return fmt.Errorf("grant for %q: write the principal as KIND:NAME, such as certificate:ml-api-adapter.hub.example", name)
}

// Allow decides whether p may do o for f. The answer to a denied caller is the same whether the FSP exists or not.
func (r *Rules) Allow(p cpm.Principal, f cpm.FSP, o cpm.Operation) error {
	who := p.String()
	if r.has(who, string(f), string(o)) {
		return nil
	}
	if !r.protect[o] && (r.has(who, string(f), Any) || r.has(who, Any, string(o)) || r.has(who, Any, Any)) {
		return nil
	}
	return fault.New(fault.Denied, "this caller has no grant for the FSP and operation; ask the operator for one")
}

func (r *Rules) has(principal, space, operation string) bool {
	_, ok := r.grants[Grant{principal, space, operation}]
	return ok
}

// Grants lists every grant, in no order.
func (r *Rules) Grants() []Grant {
	all := make([]Grant, 0, len(r.grants))
	for g := range r.grants {
		all = append(all, g)
	}
	return all
}
