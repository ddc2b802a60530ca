package fspiop

import (
	"crypto"
	"crypto/ed25519"
	"math/big"
	"slices"

	"github.com/mojaloop/cpm/internal/fault"
)

// edwards is EdDSA with Ed25519 (RFC 8037, section 3.1).
type edwards struct{}

func (edwards) accepts(pub crypto.PublicKey) error {
	k, ok := pub.(ed25519.PublicKey)
	if !ok {
		return fault.New(fault.Invalid, "the algorithm needs an Ed25519 key").Because(errKeyKind)
	}
	if len(k) != ed25519.PublicKeySize {
		return fault.New(fault.Invalid, "an Ed25519 key has %d octets", ed25519.PublicKeySize).Because(errKeyLength)
	}
	return nil
}

func (edwards) options() crypto.SignerOpts { return crypto.Hash(0) }

func (edwards) encode(_ crypto.PublicKey, signature []byte) ([]byte, error) {
	if len(signature) != ed25519.SignatureSize {
		return nil, notASignature("an Ed25519 signature has 64 octets")
	}
	return signature, nil
}

func (edwards) verify(pub crypto.PublicKey, input, signature []byte) bool {
	k, ok := pub.(ed25519.PublicKey)
	return ok && len(signature) == ed25519.SignatureSize && ed25519.Verify(k, input, signature)
}

// checkEdwardsPoint refuses keys that crypto/ed25519 takes without a look: encodings of no point, under which nothing ever
// verifies, and points of small order, under which a signature can be made without a private key.
func checkEdwardsPoint(key ed25519.PublicKey) error {
	c := newEdwardsCurve()
	p, ok := c.decode(key)
	if !ok {
		return fault.New(fault.Invalid, "the public key is not a point on the curve").Because(errKeyPoint)
	}
	// The curve's cofactor is 8: eight times a point of small order is the neutral one.
	for range 3 {
		p = c.double(p)
	}
	if p.x.Sign() == 0 && p.y.Cmp(big.NewInt(1)) == 0 {
		return fault.New(fault.Invalid, "the public key is a point of small order").Because(errKeyOrder)
	}
	return nil
}

// edwardsCurve is -x² + y² = 1 + d·x²·y² over the integers modulo p (RFC 8032, section 5.1). Its arithmetic is not
// constant-time; it sees public keys only, once each.
type edwardsCurve struct{ p, d *big.Int }

type edwardsPoint struct{ x, y *big.Int }

func newEdwardsCurve() edwardsCurve {
	c := edwardsCurve{p: new(big.Int).Lsh(big.NewInt(1), 255)}
	c.p.Sub(c.p, big.NewInt(19))
	c.d = c.divide(big.NewInt(-121665), big.NewInt(121666))
	return c
}

func (c edwardsCurve) multiply(a, b *big.Int) *big.Int {
	product := new(big.Int).Mul(a, b)
	return product.Mod(product, c.p)
}

func (c edwardsCurve) divide(a, b *big.Int) *big.Int {
	return c.multiply(a, new(big.Int).ModInverse(b, c.p))
}

// decode is RFC 8032, section 5.1.3: y in little-endian order and the lowest bit of x above it.
func (c edwardsCurve) decode(key ed25519.PublicKey) (edwardsPoint, bool) {
	octets := slices.Clone(key)
	slices.Reverse(octets)
	sign := uint(octets[0] >> 7)
	octets[0] &= 0x7f
	y, one := new(big.Int).SetBytes(octets), big.NewInt(1)
	if y.Cmp(c.p) >= 0 {
		return edwardsPoint{}, false
	}
	square := c.multiply(y, y)
	u := new(big.Int).Sub(square, one)
	v := c.multiply(c.d, square)
	x := c.divide(u, v.Add(v, one))
	if x.ModSqrt(x, c.p) == nil || x.Sign() == 0 && sign == 1 {
		return edwardsPoint{}, false
	}
	if x.Bit(0) != sign {
		x.Sub(c.p, x)
	}
	return edwardsPoint{x, y}, true
}

// double adds a point to itself. The curve's d is not a square, so that no denominator is zero.
func (c edwardsCurve) double(q edwardsPoint) edwardsPoint {
	one := big.NewInt(1)
	xx, yy := c.multiply(q.x, q.x), c.multiply(q.y, q.y)
	xy, t := c.multiply(q.x, q.y), c.multiply(c.d, c.multiply(xx, yy))
	return edwardsPoint{
		x: c.divide(new(big.Int).Add(xy, xy), new(big.Int).Add(one, t)),
		y: c.divide(new(big.Int).Add(xx, yy), new(big.Int).Sub(one, t)),
	}
}
