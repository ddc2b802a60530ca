package fspiop

import (
	"slices"
	"testing"
)

func TestServiceURIBeginsAtTheResource(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"/quotes":                            "/quotes",
		"/quotes/1?a=b":                      "/quotes/1?a=b",
		"/quotes?a=b":                        "/quotes?a=b",
		"/quotes/":                           "/quotes/",
		"http://h/a/b/quotes/1?a=b":          "/quotes/1?a=b",
		"https://h:4003/fsp/v1/transfers":    "/transfers",
		"HTTPS://h/transfers":                "/transfers",
		"/api/fxQuotes/1/error":              "/fxQuotes/1/error",
		"/api/bulkTransfers":                 "/bulkTransfers",
		"/parties/MSISDN/transfers":          "/parties/MSISDN/transfers",
		"/thirdpartyRequests/transactions/1": "/thirdpartyRequests/transactions/1",
		"http://h/services/FXP/EUR":          "/services/FXP/EUR",
		"http://h/ping":                      "/ping",
		"/ping":                              "/ping",
		"/ping?next=/quotes":                 "/ping?next=/quotes",
		"/a/b/ping?x=/a/quotes":              "/a/b/ping?x=/a/quotes",
		"/a?x/quotes":                        "/a?x/quotes",
		"/quotesX":                           "/quotesX",
		"/Quotes":                            "/Quotes",
		"/":                                  "/",
		"//quotes":                           "/quotes",
		"http://h":                           "",
		"http://h?x=1":                       "?x=1",
		"quotes":                             "quotes",
		"":                                   "",
		"ftp://h/quotes":                     "ftp://h/quotes",
		"http://participants/api/quotes":     "/quotes",
		"/participants/MSISDN/123/sub/quotes?a=b/c": "/participants/MSISDN/123/sub/quotes?a=b/c",
	}
	for uri, want := range tests {
		if got := serviceURI(uri); got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}

func TestSignedURICoversTheRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		signed, requested string
		want              bool
	}{
		{"/quotes", "/quotes", true},
		{"/quotes", "http://h/quotes", true},
		{"/quotes", "/api/quotes", true},
		{"/quotes/1?a=b", "https://h:1/x/y/quotes/1?a=b", true},
		{"/ping", "/ping", true},
		{"/ping", "http://h/ping", true},
		{"/ping", "/api/ping", false},
		{"/quotes", "/quotes/", false},
		{"/quotes", "/quotes?x", false},
		{"/quotes", "/apiquotes", false},
		{"/quotes", "/x?y=/quotes", false},
		{"/quotes", "/x#/quotes", false},
		{"/quotes/1", "/quotes/11", false},
		{"/api/quotes", "/quotes", false},
		{"/api/quotes", "/x/api/quotes", false},
		{"quotes", "/quotes", false},
		{"/authorizations", "/thirdpartyRequests/transactions/1/authorizations", true},
		{"/%71uotes", "/quotes", false},
		{"http://h/quotes", "http://h/quotes", false},
		{"/quotes", "", false},
	}
	for _, test := range tests {
		if got := covers(test.signed, test.requested); got != test.want {
			t.Errorf("%q covers %q: %v, want %v", test.signed, test.requested, got, test.want)
		}
	}
}

func TestResourcesAreThoseThatAreRecognised(t *testing.T) {
	t.Parallel()
	for _, r := range Resources() {
		if !isResource(r) {
			t.Errorf("%s is listed and not recognised", r)
		}
	}
	if !slices.Contains(Resources(), "fxTransfers") {
		t.Error("fxTransfers is not listed")
	}
}

func TestURISaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		resource string
		failure  bool
	}{
		"/quotes":                     {resource: "quotes"},
		"https://h/api/fxQuotes?x=1":  {resource: "fxQuotes"},
		"/transfers/1":                {resource: "transfers"},
		"/transfers/1/error":          {resource: "transfers", failure: true},
		"/transfers/1/error/?x=1":     {resource: "transfers", failure: true},
		"/parties/MSISDN/1/sub/error": {resource: "parties", failure: true},
		"/transfers/error":            {resource: "transfers"},
		"/transfers/error/error":      {resource: "transfers", failure: true},
		"/quotes/1?next=/error":       {resource: "quotes"},
		"/api/%71uotes/1":             {resource: "quotes"},
		"/Quotes/1/Error":             {resource: "quotes", failure: true},
		"/api/quotes/1":               {resource: "quotes"},
		"/%zz/quotes":                 {resource: "quotes"},
		"/ping":                       {},
		"":                            {},
		"quotes":                      {resource: "quotes"},
		"/thirdpartyRequests/transactions/1/error": {resource: "thirdpartyRequests", failure: true},
	}
	for uri, want := range tests {
		if resource, failure := Addressed(uri); resource != want.resource || failure != want.failure {
			t.Errorf("%q: got %q %v, want %+v", uri, resource, failure, want)
		}
	}
}

func FuzzAddressed(f *testing.F) {
	for _, uri := range []string{"/quotes/1/error", "https://h/a/%71uotes?x=/error", "/%zz//transfers", "", "?", "/parties/MSISDN/1/"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		resource, failure := Addressed(uri)
		if resource == "" && failure || resource != "" && !slices.Contains(Resources(), resource) {
			t.Errorf("%q: %q %v", uri, resource, failure)
		}
		// What a signature takes for a resource is one here too.
		if signed := serviceURI(uri); startsWithResource(signed) && resource == "" {
			t.Errorf("%q: the signature is about %q", uri, signed)
		}
	})
}
