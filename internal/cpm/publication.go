package cpm

import "time"

// Publication is a document that callers may keep for a while: public keys.
type Publication struct {
	Body []byte
	// Type is the media type.
	Type string
	// Tag changes with Body; it is the entity tag without its quotes.
	Tag string
	// Fresh is how long a caller may use what it has without asking again.
	Fresh time.Duration
}
