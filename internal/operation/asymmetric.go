package operation

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rsa"
	"crypto/sha256"
	"errors"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// oaepOverhead is what RSAES-OAEP with SHA-256 takes of the modulus, in octets (RFC 8017, section 7.1.1).
const oaepOverhead = 2*sha256.Size + 2

// sealOAEP is RSAES-OAEP with SHA-256 for the hash and for MGF1 (RFC 8017, section 7.1). More than fits below the modulus is
// TooLarge.
func (e *Engine) sealOAEP(public crypto.PublicKey, plaintext, label []byte) ([]byte, error) {
	k, ok := public.(*rsa.PublicKey)
	if !ok || fspiop.CheckPublicKey(public) != nil {
		return nil, fault.New(fault.State, "the key is no RSA key that may be used")
	}
	if most := k.Size() - oaepOverhead; len(plaintext) > most {
		return nil, fault.New(fault.TooLarge, "this RSA key takes %d bytes at most: encrypt with a secret key, or a data key of the operation datakey", most)
	}
	ciphertext, err := rsa.EncryptOAEP(sha256.New(), e.rand, k, plaintext, label)
	if err != nil {
		return nil, fault.New(fault.Device, "the key could not encrypt").Because(err)
	}
	return ciphertext, nil
}

// openOAEP is its inverse; whatever sealOAEP did not make is Refused.
func (e *Engine) openOAEP(k Decrypter, ciphertext, label []byte) ([]byte, error) {
	public, ok := k.Public().(*rsa.PublicKey)
	if !ok || fspiop.CheckPublicKey(public) != nil {
		return nil, fault.New(fault.State, "the key is no RSA key that may be used")
	}
	if len(ciphertext) != public.Size() {
		return nil, refused(errors.New("the ciphertext is not as long as the modulus"))
	}
	plaintext, err := k.Decrypt(e.rand, ciphertext, &rsa.OAEPOptions{Hash: crypto.SHA256, Label: label})
	if err != nil {
		return nil, refused(err)
	}
	return plaintext, nil
}

// hpkeInfo begins the info of HPKE (RFC 9180, section 5.1); the ciphertext's version and key follow. It keeps what is encrypted
// here from being taken for anything else under the same key.
const hpkeInfo = "CPM encrypt"

// sealHPKE is HPKE's base mode: the encapsulated key, then ciphertext and tag.
func sealHPKE(key Key, prefix, plaintext, associated []byte) ([]byte, error) {
	public, err := hpkePublic(key)
	if err != nil {
		return nil, err
	}
	encapsulated, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.AES128GCM(), append([]byte(hpkeInfo), prefix...))
	if err != nil {
		return nil, fault.New(fault.Device, "the key could not encrypt").Because(err)
	}
	ciphertext, err := sender.Seal(associated, plaintext)
	if err != nil {
		return nil, fault.New(fault.Device, "the key could not encrypt").Because(err)
	}
	return append(encapsulated, ciphertext...), nil
}

// openHPKE is its inverse; whatever sealHPKE did not make is Refused.
func openHPKE(k Exchanger, prefix, body, associated []byte) ([]byte, error) {
	exchanger := k.Exchanger()
	length, err := encapsulated(k.Algorithm(), exchanger.Curve())
	if err != nil {
		return nil, err
	}
	if len(body) < length {
		return nil, refused(errors.New("the ciphertext is too short"))
	}
	private, err := hpke.NewDHKEMPrivateKey(exchanger)
	if err != nil {
		return nil, fault.New(fault.Device, "the key cannot decrypt").Because(err)
	}
	recipient, err := hpke.NewRecipient(body[:length], private, hpke.HKDFSHA256(), hpke.AES128GCM(), append([]byte(hpkeInfo), prefix...))
	if err != nil {
		return nil, refused(err)
	}
	plaintext, err := recipient.Open(associated, body[length:])
	if err != nil {
		return nil, refused(err)
	}
	return plaintext, nil
}

// hpkePublic is the public half of a key whose curve is that of its algorithm.
func hpkePublic(key Key) (hpke.PublicKey, error) {
	var public *ecdh.PublicKey
	switch k := key.Public().(type) {
	case *ecdh.PublicKey:
		public = k
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			public, _ = k.ECDH()
		}
	}
	if public == nil {
		return nil, otherCurve()
	}
	if _, err := encapsulated(key.Algorithm(), public.Curve()); err != nil {
		return nil, err
	}
	return hpke.NewDHKEMPublicKey(public)
}

// encapsulated is the length of the encapsulated key of an algorithm, if the curve is its own.
func encapsulated(algorithm string, curve ecdh.Curve) (length int, err error) {
	switch {
	case algorithm == cpm.HPKEP256 && curve == ecdh.P256():
		return 65, nil
	case algorithm == cpm.HPKEX25519 && curve == ecdh.X25519():
		return 32, nil
	}
	return 0, otherCurve()
}

func otherCurve() error {
	return fault.New(fault.State, "the key is not on the curve of its algorithm")
}

// refused keeps the fault of a device that has one; every other failure to decrypt is the ciphertext's.
func refused(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.New(fault.Refused, "the input is not authentic under this key").Because(err)
}
