// Package jwk writes public keys as JSON Web Keys (RFC 7517; RFC 7518, section 6; RFC 8037, section 2) and names them by
// their thumbprints (RFC 7638). It knows no private and no secret keys, so that none can get into a set by mistake.
package jwk

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
)

// Key is one public key. Members that do not belong to its type are empty and are not written.
type Key struct {
	Type string `json:"kty"`
	// ID is the thumbprint in a set that Add makes.
	ID string `json:"kid,omitempty"`
	// Use is "sig" or "enc" (RFC 7517, section 4.2), Algorithm the JOSE name of the algorithm.
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	// Curve and X are of EC and OKP keys, Y of EC keys; Modulus and Exponent are of RSA keys.
	Curve    string `json:"crv,omitempty"`
	X        string `json:"x,omitempty"`
	Y        string `json:"y,omitempty"`
	Modulus  string `json:"n,omitempty"`
	Exponent string `json:"e,omitempty"`
}

// ErrKind is the error for keys that have no form as a JSON Web Key here.
var ErrKind = errors.New("the key must be RSA, ECDSA, Ed25519 or X25519")

// Of writes a public key: *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, or *ecdh.PublicKey on X25519.
func Of(public crypto.PublicKey) (Key, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return Key{Type: "RSA", Modulus: text(k.N.Bytes()), Exponent: text(big.NewInt(int64(k.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		return onCurve(k)
	case ed25519.PublicKey:
		return Key{Type: "OKP", Curve: "Ed25519", X: text(k)}, nil
	case *ecdh.PublicKey:
		if k.Curve() == ecdh.X25519() {
			return Key{Type: "OKP", Curve: "X25519", X: text(k.Bytes())}, nil
		}
	}
	return Key{}, ErrKind
}

// onCurve writes both coordinates in the full length of the curve's field (RFC 7518, section 6.2.1.2).
func onCurve(k *ecdsa.PublicKey) (Key, error) {
	point, err := k.Bytes() // 4, x, y (SEC 1, section 2.3.3)
	if err != nil || k.Curve == elliptic.P224() {
		return Key{}, errors.Join(ErrKind, err)
	}
	middle := (len(point) + 1) / 2
	return Key{Type: "EC", Curve: k.Curve.Params().Name, X: text(point[1:middle]), Y: text(point[middle:])}, nil
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Thumbprint is the SHA-256 thumbprint of the key (RFC 7638, section 3; RFC 8037, section 2): of the members that make the
// key, in the order of their names.
func (k Key) Thumbprint() string {
	var essence any
	switch k.Type {
	case "RSA":
		essence = struct {
			E string `json:"e"`
			T string `json:"kty"`
			N string `json:"n"`
		}{k.Exponent, k.Type, k.Modulus}
	case "EC":
		essence = struct {
			C string `json:"crv"`
			T string `json:"kty"`
			X string `json:"x"`
			Y string `json:"y"`
		}{k.Curve, k.Type, k.X, k.Y}
	default:
		essence = struct {
			C string `json:"crv"`
			T string `json:"kty"`
			X string `json:"x"`
		}{k.Curve, k.Type, k.X}
	}
	out, _ := json.Marshal(essence) // texts can always be written
	sum := sha256.Sum256(out)
	return text(sum[:])
}

// Set is a JWK Set (RFC 7517, section 5).
type Set struct {
	Keys []Key `json:"keys"`
}

// Add names the key by its thumbprint and puts it at the end of the set. A key that is in the set already stays as it
// is: two of one kid would be refused by many readers.
func (s *Set) Add(k Key) {
	k.ID = k.Thumbprint()
	for _, there := range s.Keys {
		if there.ID == k.ID {
			return
		}
	}
	s.Keys = append(s.Keys, k)
}

// JSON is the set as it is sent; an empty one has an empty list.
func (s *Set) JSON() []byte {
	if s.Keys == nil {
		s.Keys = []Key{}
	}
	out, _ := json.Marshal(s) // texts can always be written
	return out
}
