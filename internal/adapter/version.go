//go:build !cpm_link_previous

package adapter

// The link versions this build speaks. A version works with the one before and the one after. When VersionMax grows, the
// build with the tag cpm_link_previous gets what it was before, so that a test can roll from one to the other.
const (
	VersionMin = 1
	VersionMax = 2
)
