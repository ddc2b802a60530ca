//go:build !unix

package bench

import "time"

// ownTime is not known on this platform.
func ownTime() time.Duration { return unknown }
