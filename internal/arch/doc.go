// Package arch holds the house in order: its tests read the source of this repository and fail when
// a package stands on no floor, imports what is above it, or does what only another room may do.
//
// The floors and pairs are in house_test.go, the rules about imports, calls and sizes in
// rules_test.go. A new package needs a place in the house before it can be merged; that is on
// purpose, and the place is a decision for ARCHITECTURE.md, not for the test.
//
// There is no product code here.
package arch
