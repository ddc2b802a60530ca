package core

import (
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"

	"github.com/mojaloop/cpm/internal/access"
	"github.com/mojaloop/cpm/internal/store"
)

// tables are the rows the small parts of a snapshot are built from; a change replaces single rows and builds them again.
type tables struct {
	adapters  map[string]store.Adapter
	endpoints map[place]store.Endpoint
	routes    map[[2]string]store.Route
	grants    map[access.Grant]store.Grant
	fsps      map[string]store.FSP
	settings  map[string]store.Setting
	users     map[string]store.User
	groups    map[string]store.Group
	commands  map[[2]string]store.GroupCommand
	whitelist map[access.Range]store.Whitelist
}

// place is the primary key of an endpoint.
type place struct {
	adapter, address string
	port             int64
}

func newTables() tables {
	return tables{
		adapters: map[string]store.Adapter{}, endpoints: map[place]store.Endpoint{}, routes: map[[2]string]store.Route{},
		grants: map[access.Grant]store.Grant{}, fsps: map[string]store.FSP{}, settings: map[string]store.Setting{},
		users: map[string]store.User{}, groups: map[string]store.Group{}, commands: map[[2]string]store.GroupCommand{},
		whitelist: map[access.Range]store.Whitelist{},
	}
}

// clone copies the tables so that the present snapshot stays as it is.
func (t tables) clone() tables {
	return tables{
		maps.Clone(t.adapters), maps.Clone(t.endpoints), maps.Clone(t.routes), maps.Clone(t.grants), maps.Clone(t.fsps),
		maps.Clone(t.settings), maps.Clone(t.users), maps.Clone(t.groups), maps.Clone(t.commands), maps.Clone(t.whitelist),
	}
}

// put adds or replaces the rows of s.
func (t tables) put(s *store.State) {
	for _, r := range s.Adapters {
		t.adapters[r.Name] = r
	}
	for _, r := range s.Endpoints {
		t.endpoints[place{r.Adapter, r.Address, r.Port}] = r
	}
	for _, r := range s.Routes {
		t.routes[[2]string{r.Space, r.Operation}] = r
	}
	for _, r := range s.Grants {
		t.grants[access.Grant{Principal: r.Principal, Space: r.Space, Operation: r.Operation}] = r
	}
	for _, r := range s.FSPs {
		t.fsps[r.Name] = r
	}
	for _, r := range s.Settings {
		t.settings[r.Name] = r
	}
	t.putOperators(s)
}

// endpointsOf lists an adapter's endpoints as host:port, in order.
func (t tables) endpointsOf(adapter string) []string {
	var all []string
	for p := range t.endpoints {
		if p.adapter == adapter {
			all = append(all, net.JoinHostPort(p.address, strconv.FormatInt(p.port, 10)))
		}
	}
	slices.Sort(all)
	return all
}

// remove takes out the rows that are gone.
func (t tables) remove(gone []store.Ref) {
	for _, ref := range gone {
		row, err := ref.Row()
		if err != nil {
			continue // a table this program has no part of
		}
		switch row := row.(type) {
		case *store.Adapter:
			delete(t.adapters, row.Name)
		case *store.Endpoint:
			delete(t.endpoints, place{row.Adapter, row.Address, row.Port})
		case *store.Route:
			delete(t.routes, [2]string{row.Space, row.Operation})
		case *store.Grant:
			delete(t.grants, access.Grant{Principal: row.Principal, Space: row.Space, Operation: row.Operation})
		case *store.FSP:
			delete(t.fsps, row.Name)
		case *store.Setting:
			delete(t.settings, row.Name)
		default:
			t.removeOperator(row)
		}
	}
}

// dates are where a row keeps who made it and who changed it, and when. A row that cannot change has only the first two.
type dates struct {
	createdAt, updatedAt *int64
	createdBy, updatedBy *string
}

// put writes the rows of next that are new or say something else than before. A row that says the same keeps its dates.
func put[K comparable, T any](tx *store.Tx, old, next map[K]T, row func(*T) store.Row, where func(*T) dates) error {
	for k, n := range next {
		if o, there := old[k]; there && unchanged(&o, &n, where) {
			continue
		}
		if err := tx.Put(row(&n)); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the rows of old that next has not.
func remove[K comparable, T any](tx *store.Tx, old, next map[K]T, row func(*T) store.Row) error {
	for k, o := range old {
		if _, stays := next[k]; stays {
			continue
		}
		if err := tx.Delete(row(&o)); err != nil {
			return err
		}
	}
	return nil
}

// unchanged says whether n differs from o by its dates alone; if not, n gets o's dates of creation.
func unchanged[T any](o, n *T, where func(*T) dates) bool {
	if where == nil {
		return reflect.DeepEqual(*o, *n)
	}
	was, is := where(o), where(n)
	*is.createdAt, *is.createdBy = *was.createdAt, *was.createdBy
	if is.updatedAt == nil {
		return reflect.DeepEqual(*o, *n)
	}
	at, by := *is.updatedAt, *is.updatedBy
	*is.updatedAt, *is.updatedBy = *was.updatedAt, *was.updatedBy
	if reflect.DeepEqual(*o, *n) {
		return true
	}
	*is.updatedAt, *is.updatedBy = at, by
	return false
}
