// Package symmetric has the algorithms of secret keys: AES-GCM, AES key wrapping, HMAC and AES-CMAC, on the standard
// library's block cipher and hashes. It makes of a key's bytes what does the work, and says which lengths a key may have.
package symmetric

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"slices"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Bounds of the keys of HMAC, in octets. Below 112 bits a MAC is refused (NIST SP 800-131A revision 2, section 10); the
// secrets of ILP are whatever the FSP has always had.
const (
	minMACKey = 14
	maxMACKey = 512
)

// algorithms has one row per algorithm of secret keys.
var algorithms = [...]Algorithm{
	{name: "A128GCM", uses: []cpm.KeyUse{cpm.UseDataEncryption}, size: 16, make: block(newGCM)},
	{name: "A192GCM", uses: []cpm.KeyUse{cpm.UseDataEncryption}, size: 24, make: block(newGCM)},
	{name: "A256GCM", uses: []cpm.KeyUse{cpm.UseDataEncryption}, size: 32, make: block(newGCM)},
	{name: "HS256", uses: []cpm.KeyUse{cpm.UseMAC, cpm.UseILP}, size: 32, free: true, make: keyed(sha256.New)},
	{name: "HS384", uses: []cpm.KeyUse{cpm.UseMAC}, size: 48, free: true, make: keyed(sha512.New384)},
	{name: "HS512", uses: []cpm.KeyUse{cpm.UseMAC}, size: 64, free: true, make: keyed(sha512.New)},
	{name: "A128CMAC", uses: []cpm.KeyUse{cpm.UseMAC}, size: 16, make: block(newCMAC)},
	{name: "A192CMAC", uses: []cpm.KeyUse{cpm.UseMAC}, size: 24, make: block(newCMAC)},
	{name: "A256CMAC", uses: []cpm.KeyUse{cpm.UseMAC}, size: 32, make: block(newCMAC)},
	{name: "A128KW", uses: []cpm.KeyUse{cpm.UseWrap}, size: 16, make: block(newKW)},
	{name: "A192KW", uses: []cpm.KeyUse{cpm.UseWrap}, size: 24, make: block(newKW)},
	{name: "A256KW", uses: []cpm.KeyUse{cpm.UseWrap}, size: 32, make: block(newKW)},
	{name: "A128KWP", uses: []cpm.KeyUse{cpm.UseWrap}, size: 16, make: block(newKWP)},
	{name: "A192KWP", uses: []cpm.KeyUse{cpm.UseWrap}, size: 24, make: block(newKWP)},
	{name: "A256KWP", uses: []cpm.KeyUse{cpm.UseWrap}, size: 32, make: block(newKWP)},
}

// Algorithm is one of them. The zero Algorithm is none and takes no key.
type Algorithm struct {
	name string
	uses []cpm.KeyUse
	// size is the length of a key in octets; free ones may be shorter or longer.
	size int
	free bool
	make func(key []byte) (any, error)
}

// AlgorithmNamed finds an algorithm by its name, which is case-sensitive.
func AlgorithmNamed(name string) (Algorithm, bool) {
	for _, a := range algorithms {
		if a.name == name {
			return a, true
		}
	}
	return Algorithm{}, false
}

// AlgorithmNames lists the algorithms a secret key of a use can have.
func AlgorithmNames(use cpm.KeyUse) []string {
	var names []string
	for _, a := range algorithms {
		if slices.Contains(a.uses, use) {
			names = append(names, a.name)
		}
	}
	return names
}

// Name is the algorithm's name.
func (a Algorithm) Name() string { return a.name }

// KeySize is how many random octets a new key has.
func (a Algorithm) KeySize() int { return a.size }

// Check returns nil if a key of so many octets may have the algorithm and the use; otherwise it is Invalid.
func (a Algorithm) Check(use cpm.KeyUse, octets int) error {
	low, high := a.size, a.size
	switch {
	case !slices.Contains(a.uses, use):
		return fault.New(fault.Invalid, "a secret key with use %s must have one of the algorithms %v", use, AlgorithmNames(use))
	case a.free && use == cpm.UseILP:
		low, high = 1, maxMACKey
	case a.free:
		low, high = minMACKey, maxMACKey
	}
	if octets < low || octets > high {
		return fault.New(fault.Invalid, "a key for %s with use %s must have %d to %d bytes", a.name, use, low, high)
	}
	return nil
}

// New makes of a key what does the work: a *GCM, a *HMAC, a *CMAC, a *KW or a *KWP. It keeps nothing of the given bytes but
// what it derives from them. A key whose length does not fit is Invalid.
func (a Algorithm) New(use cpm.KeyUse, key []byte) (any, error) {
	if err := a.Check(use, len(key)); err != nil {
		return nil, err
	}
	return a.make(key)
}

// block is for the algorithms over AES.
func block(with func(cipher.Block) (any, error)) func([]byte) (any, error) {
	return func(key []byte) (any, error) {
		b, err := aes.NewCipher(key)
		if err != nil {
			return nil, fault.New(fault.Device, "the key cannot be used").Because(err)
		}
		return with(b)
	}
}

// keyed is for HMAC.
func keyed(h func() hash.Hash) func([]byte) (any, error) {
	return func(key []byte) (any, error) { return newHMAC(hmac.New(h, key)) }
}

// refused is the fault of everything that is not authentic; the caller learns no more than that.
func refused(cause refusal) error {
	return fault.New(fault.Refused, "the input is not authentic under this key").Because(cause)
}

// refusal says for the log what was wrong.
type refusal string

// Error is the cause.
func (r refusal) Error() string { return string(r) }
