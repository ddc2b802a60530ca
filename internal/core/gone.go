package core

import (
	"slices"

	"github.com/mojaloop/cpm/internal/store"
)

// ConfigDetail says what a Document took away by not naming it.
type ConfigDetail struct {
	Gone []Gone `json:"gone"`
}

// Gone are the entries that one part of the configuration has lost.
type Gone struct {
	// Part is the member of the Document: adapters, routes, grants, groups, users or whitelist.
	Part  string `json:"part"`
	Count int    `json:"count"`
	// Names are the first of them in order, at most maxGone.
	Names []string `json:"names"`
}

// maxGone bounds the names of an answer; the record of the change has all rows.
const maxGone = 5

// lost lists what t has and next has not, by part. What a group may do, where an adapter is and who a user is are
// members of an entry that is in the document, so they are not named.
func (t tables) lost(next tables) []Gone {
	parts := []Gone{
		gone("adapters", t.adapters, next.adapters, func(r store.Adapter) string { return r.Name }),
		gone("routes", t.routes, next.routes, func(r store.Route) string { return r.Space + " " + r.Operation }),
		gone("grants", t.grants, next.grants, func(r store.Grant) string { return r.Principal + " " + r.Space + " " + r.Operation }),
		gone("groups", t.groups, next.groups, func(r store.Group) string { return r.Name }),
		gone("users", t.users, next.users, func(r store.User) string { return r.Name }),
		gone("whitelist", t.whitelist, next.whitelist, func(r store.Whitelist) string { return r.Adapter + " " + r.Address }),
	}
	return slices.DeleteFunc(parts, func(g Gone) bool { return g.Count == 0 })
}

func gone[K comparable, T any](part string, old, next map[K]T, name func(T) string) Gone {
	var names []string
	for k, row := range old {
		if _, stays := next[k]; !stays {
			names = append(names, name(row))
		}
	}
	slices.Sort(names)
	return Gone{Part: part, Count: len(names), Names: names[:min(len(names), maxGone)]}
}
