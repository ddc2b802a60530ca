package fspiop

import (
	"net/url"
	"strings"
)

// Resources lists the resources of the FSPIOP API ("API Definition", section 6) and of its third-party part: the first
// segment of a request's path, behind a deployment's prefix, which no signature covers.
func Resources() []string {
	return []string{
		"participants", "parties", "services",
		"quotes", "bulkQuotes", "fxQuotes",
		"transfers", "bulkTransfers", "fxTransfers",
		"transactionRequests", "authorizations",
		"thirdpartyRequests", "consents", "consentRequests", "accounts",
	}
}

// isResource says whether a path segment is one of Resources; it is asked for every segment of every message.
func isResource(segment string) bool {
	switch segment {
	case "participants", "parties", "services",
		"quotes", "bulkQuotes", "fxQuotes",
		"transfers", "bulkTransfers", "fxTransfers",
		"transactionRequests", "authorizations",
		"thirdpartyRequests", "consents", "consentRequests", "accounts":
		return true
	}
	return false
}

// Addressed is what a request's URI is about: the first resource in its path, or "" when the path has none, and whether the
// request reports an error of an earlier one, as PUT /quotes/{ID}/error does ("API Definition", section 6.1.2). What servers
// may take for a resource is one here: escapes are decoded, and the case of letters does not count.
func Addressed(uri string) (resource string, failure bool) {
	path, _, _ := strings.Cut(originForm(uri), "?")
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i, s := range segments {
		if resource = resourceNamed(decoded(s)); resource != "" {
			last := len(segments) - 1
			return resource, last > i+1 && strings.EqualFold(decoded(segments[last]), "error")
		}
	}
	return "", false
}

func resourceNamed(segment string) string {
	for _, r := range Resources() {
		if strings.EqualFold(r, segment) {
			return r
		}
	}
	return ""
}

// decoded is a path segment without escapes; one that cannot be decoded stays as it is.
func decoded(segment string) string {
	if text, err := url.PathUnescape(segment); err == nil {
		return text
	}
	return segment
}

// serviceURI is what FSPIOP-URI says of a request: path and query from the first resource on, or the whole of both when the
// path has no resource ("Signature" v1.1, section 3.1).
func serviceURI(uri string) string {
	uri = originForm(uri)
	// The path ends where what is left begins with a question mark.
	for rest := uri; strings.HasPrefix(rest, "/"); {
		if startsWithResource(rest) {
			return rest
		}
		end := strings.IndexAny(rest[1:], "/?")
		if end < 0 {
			break
		}
		rest = rest[1+end:]
	}
	return uri
}

// startsWithResource says whether path and query begin with "/" and a resource.
func startsWithResource(uri string) bool {
	if !strings.HasPrefix(uri, "/") {
		return false
	}
	segment := uri[1:]
	if end := strings.IndexAny(segment, "/?"); end >= 0 {
		segment = segment[:end]
	}
	return isResource(segment)
}

// originForm takes scheme and host off a URI (RFC 9112, section 3.2); what has neither stays as it is.
func originForm(uri string) string {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(uri) < len(scheme) || lower(uri[:len(scheme)]) != scheme {
			continue
		}
		rest := uri[len(scheme):]
		if path := strings.IndexAny(rest, "/?#"); path >= 0 {
			return rest[path:]
		}
		return ""
	}
	return uri
}

// covers says whether a signed FSPIOP-URI is that of a request: the two are equal, or what the request has before it is a
// deployment's prefix. Which segment is the resource is the signer's choice: some take the last one that could be.
func covers(signed, requested string) bool {
	requested = originForm(requested)
	if signed == requested {
		return true
	}
	if !startsWithResource(signed) {
		return false
	}
	prefix, ok := strings.CutSuffix(requested, signed)
	return ok && !strings.ContainsAny(prefix, "?#")
}
