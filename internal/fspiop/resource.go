package fspiop

import "strings"

// isResource says whether a path segment is a resource of the FSPIOP API ("API Definition", section 6) or of its
// third-party part. A deployment may put a prefix before the resource, which no signature covers.
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
