package ssm

import (
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/operation"
	"github.com/mojaloop/cpm/internal/secret"
	"github.com/mojaloop/cpm/internal/symmetric"
)

// ilpSecret is the handle of a secret that fulfilments are derived from: an HMAC for each reading.
type ilpSecret struct {
	publicKey
	deployed, textbook *symmetric.HMAC
}

var _ operation.ILPSecret = (*ilpSecret)(nil)

// Fulfil is the HMAC of the message.
func (s *ilpSecret) Fulfil(reading fspiop.ILPReading, message []byte) ([]byte, error) {
	if reading == fspiop.ILPTextbook {
		return s.textbook.MAC(message)
	}
	return s.deployed.MAC(message)
}

// parseILP makes the handle of a secret whose length fits. The caller overwrites the secret.
func parseILP(m cpm.Material, algorithm symmetric.Algorithm) (operation.Key, error) {
	clear := m.Private.Open(secret.Token{})
	if err := algorithm.Check(m.Use, len(clear)); err != nil {
		return nil, fault.New(fault.Device, "the adapter cannot read the key").Because(err)
	}
	s := &ilpSecret{publicKey: publicKey{algorithm: m.Algorithm, use: m.Use}}
	for reading, keyed := range map[fspiop.ILPReading]**symmetric.HMAC{
		fspiop.ILPDeployed: &s.deployed, fspiop.ILPTextbook: &s.textbook,
	} {
		working, err := algorithm.New(m.Use, fspiop.ILPKey(reading, clear))
		hmac, ok := working.(*symmetric.HMAC)
		if !ok {
			return nil, fault.New(fault.Device, "the adapter cannot read the key").Because(err)
		}
		*keyed = hmac
	}
	return s, nil
}
