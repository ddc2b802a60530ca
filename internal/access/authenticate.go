package access

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// Credential is how somebody proved to an adapter who they are. The adapter forwards it, the core decides.
type Credential struct {
	// Certificates are the names of a verified client certificate.
	Certificates []string
	// Token is an API token.
	Token string
	// Address is where the request came from, without port.
	Address string
}

// unknown is the one answer to every credential that shows no user, whatever is wrong with it.
func unknown(cause string) error {
	return fault.New(fault.Unauthenticated, "the credential is not accepted; use a certificate or a token of a user of this CPM").
		Because(errors.New(cause))
}

// Authenticate finds the user a credential shows. A token that is given must be good, whatever the certificate says; a
// certificate and a token of two users show nobody.
func (r *Rules) Authenticate(c Credential, now time.Time) (*User, error) {
	u, err := r.owner(c.Certificates)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		t, good := r.holder(c.Token)
		switch {
		case !good:
			return nil, unknown("the token is not known")
		case !now.Before(t.expires):
			return nil, fault.New(fault.Unauthenticated, "the token has expired; ask for a new one")
		case u != nil && u != t.user:
			return nil, unknown("certificate and token are of two users")
		}
		u = t.user
	}
	if u == nil {
		return nil, unknown("no name of the certificate is a user's, and there is no token")
	}
	if !u.Enabled {
		return nil, unknown("the user is disabled")
	}
	return u, nil
}

// owner finds the user of a certificate; nil if none of its names is a user's.
func (r *Rules) owner(names []string) (*User, error) {
	var u *User
	for _, name := range names {
		found := r.owners[name]
		if found != nil && u != nil && found != u {
			return nil, unknown("the certificate has names of two users")
		}
		if found != nil {
			u = found
		}
	}
	return u, nil
}

// Range is an address, or a range of them, that commands may come from through an adapter.
type Range struct{ Adapter, Address string }

// ParseRange reads an address or a range in the notation of CIDR, and gives it in its one canonical form.
func ParseRange(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, errors.New("an address of the whitelist has no zone")
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("an entry of the whitelist is an address or a range such as 10.1.0.0/16")
	}
	return p.Masked(), nil
}

func (r *Rules) addRanges(ranges []Range) error {
	var problems []error
	for _, w := range ranges {
		p, err := ParseRange(w.Address)
		if err != nil {
			problems = append(problems, fmt.Errorf("whitelist of %q: %w", w.Adapter, err))
			continue
		}
		r.ranges[w.Adapter] = append(r.ranges[w.Adapter], p)
	}
	return errors.Join(problems...)
}

// Admit decides whether commands may come from an address through an adapter. An adapter without a whitelist admits nobody.
func (r *Rules) Admit(adapter, address string) error {
	a, err := netip.ParseAddr(address)
	if err == nil {
		a = a.Unmap().WithZone("")
		if slices.ContainsFunc(r.ranges[adapter], func(p netip.Prefix) bool { return p.Contains(a) }) {
			return nil
		}
	}
	return fault.New(fault.Denied, "this address is not on the whitelist of the adapter; ask the operator of the CPM")
}
