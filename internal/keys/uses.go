package keys

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"slices"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// The names of algorithms that are not JOSE signatures. RSAOAEP256 is of RFC 7518, section 4.3; the HPKE ones are the first
// and the fourth suite of draft-ietf-jose-hpke-encrypt: P-256 and X25519, both with HKDF-SHA256 and AES-128-GCM.
const (
	RSAOAEP256 = "RSA-OAEP-256"
	HPKE0      = "HPKE-0"
	HPKE3      = "HPKE-3"
)

// maxSecretKey bounds a secret key in bytes: the longest are secrets of the Interledger protocol.
const maxSecretKey = 512

// suite is one algorithm a use allows, and the keys it takes.
type suite struct {
	name string
	// shortest and longest bound a secret key in bytes, and made is how many a generated one has; all 0 for key pairs.
	shortest, longest, made int
	// accepts is nil for a public key that fits, and generate makes a private one; bits is the RSA modulus, 0 the usual one.
	accepts  func(crypto.PublicKey) error
	generate func(bits int) (any, error)
}

// secret says whether the algorithm takes secret keys.
func (s suite) secret() bool { return s.made > 0 }

// suites is the one table of what a use allows. The first row that fits a key is the algorithm of one that comes without.
func suites(use cpm.KeyUse) []suite {
	switch use {
	case cpm.UseSignature, cpm.UseUpdate:
		return signatures()
	case cpm.UseDataSignature:
		return append(signatures(), suite{name: "ES512", accepts: onCurve(elliptic.P521()), generate: generateEC(elliptic.P521())})
	case cpm.UseEncryption:
		return []suite{rsaOAEP()}
	case cpm.UseDataEncryption:
		return []suite{
			exactly("A128GCM", 16), exactly("A192GCM", 24), exactly("A256GCM", 32), rsaOAEP(),
			{name: HPKE0, accepts: onCurve(elliptic.P256()), generate: generateEC(elliptic.P256())},
			{name: HPKE3, accepts: checkX25519, generate: func(int) (any, error) { return ecdh.X25519().GenerateKey(rand.Reader) }},
		}
	case cpm.UseWrap:
		return []suite{
			exactly("A128KWP", 16), exactly("A192KWP", 24), exactly("A256KWP", 32), exactly("A128KW", 16), exactly("A192KW", 24), exactly("A256KW", 32), rsaOAEP(),
		}
	case cpm.UseMAC:
		return []suite{
			// RFC 7518, section 3.2: the key is at least as long as the hash.
			mac("HS256", 32, 32), mac("HS384", 48, 48), mac("HS512", 64, 64), exactly("A128CMAC", 16), exactly("A192CMAC", 24), exactly("A256CMAC", 32),
		}
	case cpm.UseILP:
		return []suite{mac("HS256", 1, 32)}
	}
	return nil
}

func exactly(name string, size int) suite {
	return suite{name: name, shortest: size, longest: size, made: size}
}

func mac(name string, shortest, made int) suite {
	return suite{name: name, shortest: shortest, longest: maxSecretKey, made: made}
}

func rsaOAEP() suite {
	return suite{name: RSAOAEP256, accepts: func(public crypto.PublicKey) error {
		if _, ok := public.(*rsa.PublicKey); !ok {
			return fault.New(fault.Invalid, "the algorithm needs an RSA key")
		}
		return fspiop.CheckPublicKey(public)
	}, generate: generateRSA}
}

func signatures() []suite {
	var all []suite
	for _, name := range fspiop.AlgorithmNames() {
		a, _ := fspiop.AlgorithmNamed(name)
		all = append(all, suite{name: name, accepts: a.Accepts, generate: signerFor(name)})
	}
	return all
}

// signerFor generates keys for a JOSE signature algorithm; nil for one that nobody has told it of, which a test finds.
func signerFor(name string) func(int) (any, error) {
	switch name {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return generateRSA
	case "ES256":
		return generateEC(elliptic.P256())
	case "ES384":
		return generateEC(elliptic.P384())
	case "EdDSA":
		return func(int) (any, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		}
	}
	return nil
}

func generateEC(curve elliptic.Curve) func(int) (any, error) {
	return func(int) (any, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
}

func generateRSA(bits int) (any, error) {
	switch bits {
	case 0:
		bits = 2048
	case 2048, 3072, 4096:
	default:
		return nil, fault.New(fault.Invalid, "an RSA key has 2048, 3072 or 4096 bits")
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

func onCurve(curve elliptic.Curve) func(crypto.PublicKey) error {
	return func(public crypto.PublicKey) error {
		k, ok := public.(*ecdsa.PublicKey)
		if !ok || k.Curve != curve {
			return fault.New(fault.Invalid, "the algorithm needs a key on %s", curve.Params().Name)
		}
		if _, err := k.Bytes(); err != nil {
			return fault.New(fault.Invalid, "the public key is not a point on the curve").Because(err)
		}
		return nil
	}
}

// checkX25519 refuses points of small order too: what is agreed with them is no secret (RFC 7748, section 6.1).
func checkX25519(public crypto.PublicKey) error {
	k, ok := public.(*ecdh.PublicKey)
	if !ok || k.Curve() != ecdh.X25519() {
		return fault.New(fault.Invalid, "the algorithm needs an X25519 key")
	}
	peer, err := ecdh.X25519().NewPrivateKey(append(make([]byte, 31), 64))
	if err == nil {
		_, err = peer.ECDH(k)
	}
	if err != nil {
		return fault.New(fault.Invalid, "the public key is a point of small order").Because(err)
	}
	return nil
}

// Algorithms lists the algorithms that keys of a use can be for. The first one that fits a key is that of a key that comes
// without.
func Algorithms(use cpm.KeyUse) []string {
	var names []string
	for _, s := range suites(use) {
		names = append(names, s.name)
	}
	return names
}

// knownAlgorithm says whether any use has the algorithm.
func knownAlgorithm(name string) bool {
	return slices.ContainsFunc(cpm.KeyUses(), func(use cpm.KeyUse) bool { return slices.Contains(Algorithms(use), name) })
}

// suiteNamed is the row of an algorithm that the use allows.
func suiteNamed(use cpm.KeyUse, name string) (suite, error) {
	all := suites(use)
	i := slices.IndexFunc(all, func(s suite) bool { return s.name == name })
	if i < 0 {
		return suite{}, fault.New(fault.Invalid, "keys with use %s are for one of %v", use, Algorithms(use))
	}
	return all[i], nil
}

// suiteFor is the algorithm asked for, if the use allows it and it fits the public key, or the first one that does.
func suiteFor(use cpm.KeyUse, wanted string, public crypto.PublicKey) (suite, error) {
	if wanted != "" {
		s, err := suiteNamed(use, wanted)
		switch {
		case err != nil:
			return s, err
		case s.secret():
			return s, fault.New(fault.Invalid, "the algorithm %s needs a secret key, and the key has a public half", wanted)
		}
		return s, s.accepts(public)
	}
	for _, s := range suites(use) {
		if !s.secret() && s.accepts(public) == nil {
			return s, nil
		}
	}
	return suite{}, fault.New(fault.Invalid, "the kind of key fits none of the algorithms of use %s: %v", use, Algorithms(use))
}

// secretSuite is the algorithm asked for, if the use allows it and it takes a secret key of this length, or the first one that
// does.
func secretSuite(use cpm.KeyUse, wanted string, length int) (suite, error) {
	for _, s := range suites(use) {
		if s.secret() && (wanted == "" || s.name == wanted) && s.shortest <= length && length <= s.longest {
			return s, nil
		}
	}
	if wanted == "" {
		return suite{}, fault.New(fault.Invalid, "no algorithm of use %s takes a secret key of this length: %v", use, Algorithms(use))
	}
	s, err := suiteNamed(use, wanted)
	switch {
	case err != nil:
		return s, err
	case !s.secret():
		return s, fault.New(fault.Invalid, "the algorithm %s needs a private or public key, not a secret one", wanted)
	case s.shortest == s.longest:
		return s, fault.New(fault.Invalid, "a secret key for %s has %d bytes", wanted, s.shortest)
	}
	return s, fault.New(fault.Invalid, "a secret key for %s has %d to %d bytes", wanted, s.shortest, s.longest)
}

// takesSecrets says whether keys of the use are secret ones when they are for the algorithm; without one, whether they all are.
func takesSecrets(use cpm.KeyUse, algorithm string) bool {
	known := false
	for _, s := range suites(use) {
		if algorithm != "" && s.name != algorithm {
			continue
		}
		if !s.secret() {
			return false
		}
		known = true
	}
	return known
}
