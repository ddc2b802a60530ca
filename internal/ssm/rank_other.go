//go:build !linux

package ssm

// rankBelow does nothing where threads have no priority of their own.
func rankBelow() {}
