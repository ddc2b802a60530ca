//go:build cpm_link_previous

package adapter

// The link versions of the build before this one, for the test that rolls between the two.
const (
	VersionMin = 1
	VersionMax = 1
)
