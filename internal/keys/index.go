package keys

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/store"
)

// Index has every key version by FSP. It is immutable: With makes a new one that shares what did not change.
type Index struct {
	spaces map[string]*space
	// series finds a series by its id, for patches that name objects only.
	series map[[16]byte]*store.Series
	count  int
}

// space has the keys of one FSP, newest version first.
type space struct {
	versions []*Version
}

// NewIndex makes the index of all rows of a state.
func NewIndex(series []store.Series, objects []store.Object) *Index {
	x := &Index{spaces: map[string]*space{}, series: make(map[[16]byte]*store.Series, len(series))}
	for i := range series {
		x.series[series[i].ID] = &series[i]
	}
	bySpace := map[string][]*Version{}
	for i := range objects {
		if s, ok := x.series[objects[i].Series]; ok {
			bySpace[s.Space] = append(bySpace[s.Space], newVersion(s, &objects[i]))
		}
	}
	for name, versions := range bySpace {
		x.spaces[name] = newSpace(versions)
		x.count += len(versions)
	}
	return x
}

func newVersion(s *store.Series, o *store.Object) *Version {
	return &Version{
		Ref:     cpm.KeyRef{ID: cpm.KeyID(o.ID), Name: s.Name, Version: number(o.Version)},
		Space:   s.Space,
		Use:     cpm.KeyUse(s.Use),
		Row:     *o,
		Current: s.Current == o.Version,
		Deleted: s.Deleted || attrsOf(o).Deleted,
		Policy:  storedPolicy(s),

		SeriesCreated: s.CreatedAt,
	}
}

// number is a version as references carry it; no series ever has four billion.
func number(version int64) uint32 {
	return uint32(min(version, math.MaxUint32)) //nolint:gosec // bounded in this line
}

func newSpace(versions []*Version) *space {
	slices.SortFunc(versions, func(a, b *Version) int {
		if a.Row.ActivatedAt != b.Row.ActivatedAt {
			return int(max(-1, min(1, b.Row.ActivatedAt-a.Row.ActivatedAt)))
		}
		if a.Ref.Name != b.Ref.Name {
			return strings.Compare(a.Ref.Name, b.Ref.Name)
		}
		return int(b.Ref.Version) - int(a.Ref.Version)
	})
	return &space{versions}
}

// With is the index after a change: rows as they are now stored, whether new or changed. Only the FSPs they belong to
// are made again.
func (x *Index) With(series []store.Series, objects []store.Object) *Index {
	y := &Index{spaces: maps.Clone(x.spaces), series: maps.Clone(x.series)}
	changed := map[string]bool{}
	for i := range series {
		y.series[series[i].ID] = &series[i]
		changed[series[i].Space] = true
	}
	fresh := map[[16]byte]*store.Object{}
	for i := range objects {
		fresh[objects[i].ID] = &objects[i]
		if s, ok := y.series[objects[i].Series]; ok {
			changed[s.Space] = true
		}
	}
	for name := range changed {
		y.spaces[name] = newSpace(y.rebuild(name, fresh))
	}
	for _, s := range y.spaces {
		y.count += len(s.versions)
	}
	return y
}

// rebuild lists the versions of an FSP with the fresh rows in place of the old ones.
func (x *Index) rebuild(name string, fresh map[[16]byte]*store.Object) []*Version {
	var versions []*Version
	if old, ok := x.spaces[name]; ok {
		for _, v := range old.versions {
			if fresh[v.Row.ID] == nil {
				versions = append(versions, newVersion(x.series[v.Row.Series], &v.Row))
			}
		}
	}
	for _, o := range fresh {
		if s, ok := x.series[o.Series]; ok && s.Space == name {
			versions = append(versions, newVersion(s, o))
		}
	}
	return versions
}

// Len is the number of key versions.
func (x *Index) Len() int { return x.count }

// Of lists the versions of an FSP, newest first; with a name only those of that key.
func (x *Index) Of(f cpm.FSP, name string) []*Version {
	s, ok := x.spaces[string(f)]
	if !ok {
		return nil
	}
	if name == "" {
		return slices.Clone(s.versions)
	}
	var named []*Version
	for _, v := range s.versions {
		if v.Ref.Name == name {
			named = append(named, v)
		}
	}
	return named
}

// Judge lists the versions that the given rows are about: those that requests may use, now or later, and those that none may
// use any more.
func (x *Index) Judge(series []store.Series, objects []store.Object, now time.Time) (usable, unusable []*Version) {
	about := map[[16]byte]bool{}
	for i := range series {
		about[series[i].ID] = true
	}
	for i := range objects {
		about[objects[i].Series] = true
	}
	for id := range about {
		for _, v := range x.Of(cpm.FSP(x.series[id].Space), x.series[id].Name) {
			if v.mayServe(now) {
				usable = append(usable, v)
			} else {
				unusable = append(unusable, v)
			}
		}
	}
	return usable, unusable
}
