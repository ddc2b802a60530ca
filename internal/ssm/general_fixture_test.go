package ssm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/secret"
)

// general is a module that does the general operations, with keys put into it by number.
type general struct {
	t testing.TB
	m *Module
}

func newGeneral(t testing.TB) *general {
	t.Helper()
	var mandated []cpm.Operation
	for _, row := range cpm.Operations() {
		if row.General {
			mandated = append(mandated, row.Operation)
		}
	}
	m := New(Config{Mandated: mandated, HeavyWorkers: 2, Now: time.Now})
	t.Cleanup(func() { _ = m.Shutdown(context.WithoutCancel(t.Context())) })
	return &general{t, m}
}

func (g *general) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// private is a private key of the standard library.
type private interface{ Public() crypto.PublicKey }

// put gives the module a key: bytes of a secret key, or a private or public one.
func (g *general) put(number byte, use cpm.KeyUse, algorithm string, key any) cpm.KeyRef {
	g.t.Helper()
	ref := cpm.KeyRef{ID: cpm.KeyID{15: number}, Name: algorithm, Version: uint32(number)}
	m := cpm.Material{Ref: ref, Algorithm: algorithm, Use: use}
	var err error
	switch k := key.(type) {
	case []byte:
		m.Private = secret.Take(bytes.Clone(k))
	case private:
		var encoded []byte
		encoded, err = x509.MarshalPKCS8PrivateKey(k)
		g.must(err)
		m.Private = secret.Take(encoded)
		m.Public, err = x509.MarshalPKIXPublicKey(k.Public())
	default:
		m.Public, err = x509.MarshalPKIXPublicKey(k)
	}
	g.must(err)
	g.must(g.m.Put(g.t.Context(), m))
	return ref
}

// do performs one operation.
func do[M proto.Message](g *general, o cpm.Operation, q proto.Message, keys ...cpm.KeyRef) (out M, err error) {
	g.t.Helper()
	result, err := g.m.Do(g.t.Context(), &cpm.Request{
		ID: "r", FSP: "payerfsp", Operation: o, Keys: keys, Arrival: time.Now(), Size: proto.Size(q), Payload: cpm.Payload{Message: q},
	})
	if err != nil {
		return out, err
	}
	return result.Payload.Message.(M), nil
}

// must is do where nothing else will do.
func must[M proto.Message](g *general, o cpm.Operation, q proto.Message, keys ...cpm.KeyRef) M {
	g.t.Helper()
	out, err := do[M](g, o, q, keys...)
	g.must(err)
	return out
}

// material makes a new key for an algorithm of the general operations.
func material(t testing.TB, algorithm string) any {
	t.Helper()
	var (
		key any
		err error
	)
	octets := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	switch {
	case algorithm == "ES256" || algorithm == cpm.HPKEP256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algorithm == "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case algorithm == "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case algorithm == "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case algorithm == cpm.HPKEX25519:
		key, err = ecdh.X25519().GenerateKey(rand.Reader)
	case strings.HasPrefix(algorithm, "RS"), strings.HasPrefix(algorithm, "PS"):
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case strings.HasPrefix(algorithm, "A128"):
		key = octets(16)
	case strings.HasPrefix(algorithm, "A192"):
		key = octets(24)
	default:
		key = octets(32)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}
