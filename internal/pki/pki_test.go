package pki

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestALeafIsAcceptedUnderItsAuthorityOnly(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ours, err := NewAuthority(now, "ours")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := NewAuthority(now, "theirs")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ours.Issue(now, "leaf", "a.example")
	if err != nil {
		t.Fatal(err)
	}
	options := x509.VerifyOptions{Roots: ours.Pool(), DNSName: "a.example", KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := leaf.TLS().Leaf.Verify(options); err != nil {
		t.Error(err)
	}
	options.Roots = theirs.Pool()
	if _, err := leaf.TLS().Leaf.Verify(options); err == nil {
		t.Error("another authority is accepted")
	}
}

func TestFreshJudgesTheFile(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	a, err := NewAuthority(now, "a")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.Issue(now, "l", "l")
	if err != nil {
		t.Fatal(err)
	}
	if err := leaf.Write(dir, "leaf"); err != nil {
		t.Fatal(err)
	}
	if err := a.Write(dir, "ca"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "leaf.pem")
	if !Fresh(file, now) || Fresh(file, now.Add(lifetime)) || Fresh(filepath.Join(dir, "leaf.key"), now) || Fresh(dir, now) {
		t.Error("Fresh is wrong")
	}
	if info, err := os.Stat(filepath.Join(dir, "leaf.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v %v", info.Mode(), err)
	}
}
