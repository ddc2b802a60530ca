package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Publisher gives public keys to those who may use them; package core is the one of a CPM. Its errors are shown as those of
// a Processor are.
type Publisher interface {
	// PublishedSet is the JWK Set (RFC 7517, section 5) of an FSP, or without a name of the hub.
	PublishedSet(caller cpm.Principal, f cpm.FSP) (*cpm.Publication, error)
	// PublishedKey is the current version of one key as PEM.
	PublishedKey(caller cpm.Principal, f cpm.FSP, name string) (*cpm.Publication, error)
}

// Paths of published keys; those of an FSP are below pathFSPs and its name.
const (
	pathHubKeys = "/.well-known/jwks.json"
	restKeys    = "jwks.json"
	restKey     = "keys/"
	suffixPEM   = ".pem"
)

// publishes says whether the rest of a path after the FSP is one of published keys.
func publishes(rest string) bool {
	return rest == restKeys || strings.HasPrefix(rest, restKey) && strings.HasSuffix(rest, suffixPEM)
}

// hubKeys serves pathHubKeys.
func (x *exchange) hubKeys() *fault.Error {
	return x.publish(func(p Publisher) (*cpm.Publication, error) { return p.PublishedSet(x.caller, "") })
}

// keysOf serves the published keys of an FSP: all of them, or one.
func (x *exchange) keysOf(segment, rest string) *fault.Error {
	name, err := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(rest, restKey), suffixPEM))
	fsp, bad := url.PathUnescape(segment)
	if err != nil || bad != nil || !cpm.FSP(fsp).Valid() || !cpm.ValidName(name) {
		return fault.New(fault.Invalid, "the name of the FSP or of the key cannot be one")
	}
	return x.publish(func(p Publisher) (*cpm.Publication, error) {
		if rest == restKeys {
			return p.PublishedSet(x.caller, cpm.FSP(fsp))
		}
		return p.PublishedKey(x.caller, cpm.FSP(fsp), name)
	})
}

// publish answers with what get gives, or that it is what the reader has (RFC 9110, section 13.1.2). What one caller may read
// another may not, so that only the caller's own cache keeps it (RFC 9111, section 5.2.2.7).
func (x *exchange) publish(get func(Publisher) (*cpm.Publication, error)) *fault.Error {
	if x.door.publisher == nil {
		return fault.New(fault.NotFound, "no such path, see "+pathDocument)
	}
	p, err := get(x.door.publisher)
	if err != nil {
		return x.door.explain(x.r.Context(), &x.inquiry, err)
	}
	tag := `"` + p.Tag + `"`
	h := x.w.Header()
	h["Etag"] = []string{tag}
	h["Cache-Control"] = []string{"private, max-age=" + strconv.Itoa(int(p.Fresh/time.Second)) + ", must-revalidate"}
	x.door.conclude(x.r.Context(), &x.inquiry, nil)
	if has(x.r.Header.Values("If-None-Match"), tag) {
		x.writeAs(http.StatusNotModified, "", nil)
		return nil
	}
	x.writeAs(http.StatusOK, p.Type, p.Body)
	return nil
}

// has says whether an If-None-Match names the tag; weak ones count, as the comparison is the weak one.
func has(values []string, tag string) bool {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}
