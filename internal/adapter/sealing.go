package adapter

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/binary"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// exporterLabel names the value both ends derive from the TLS session (RFC 8446, section 7.5), so that a key sealed for one
// connection opens on no other.
const exporterLabel = "EXPORTER-cpm-link-key"

// Private keys cross the link sealed to a key pair that lives as long as the link (RFC 9180: X25519, HKDF-SHA-256,
// AES-256-GCM), inside TLS.

// exporter derives values that only the two ends of a TLS session know; *tls.ConnectionState is one.
type exporter interface {
	ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error)
}

// newKeyPair makes the ephemeral key pair of a link.
func newKeyPair() (hpke.PrivateKey, error) { return hpke.DHKEM(ecdh.X25519()).GenerateKey() }

// sealKey seals a private key to the other end.
func sealKey(public hpke.PublicKey, session exporter, m cpm.Material) ([]byte, error) {
	info, err := binding(session, m)
	if err != nil {
		return nil, err
	}
	return hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), info, m.Private.Open(secret.Token{}))
}

// openKey is the other end of sealKey.
func openKey(private hpke.PrivateKey, session exporter, m cpm.Material, sealed []byte) (secret.Bytes, error) {
	info, err := binding(session, m)
	if err != nil {
		return secret.Bytes{}, err
	}
	clear, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
	if err != nil {
		return secret.Bytes{}, fault.New(fault.Refused, "the key on the link cannot be opened")
	}
	return secret.Take(clear), nil
}

// binding ties a sealed key to the TLS session and to the record it travels with.
func binding(session exporter, m cpm.Material) ([]byte, error) {
	exported, err := session.ExportKeyingMaterial(exporterLabel, nil, 32)
	if err != nil {
		return nil, fault.New(fault.Internal, "the link has no TLS session").Because(err)
	}
	info := append([]byte("cpm link key v1"), exported...)
	info = append(info, m.Ref.ID[:]...)
	info = binary.BigEndian.AppendUint32(info, m.Ref.Version)
	for _, part := range [][]byte{[]byte(m.Ref.Name), []byte(m.Algorithm), []byte(m.Use), m.Public} {
		info = binary.BigEndian.AppendUint32(info, uint32(len(part))) //nolint:gosec // bounded by the link's message limit
		info = append(info, part...)
	}
	return info, nil
}
