package ssm

import (
	"errors"
	"fmt"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/operation"
	"github.com/mojaloop/cpm/internal/secret"
)

// What release 19.19.1 of Mojaloop's library answers with the secret of its public default configuration.
const (
	ilpSecretAnswer = "mojaloop-sdk" //nolint:gosec // known to everybody, and used for nothing else
	ilpTransaction  = `{"transactionId":"t","payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"123",` +
		`"fspId":"payeefsp"}},"amount":{"currency":"USD","amount":"1.1"}}`
	ilpCondition  = "6M7jLemo7qgK4HCgzv25FIFqopPlybuXQZVgvu8k9qY"
	ilpFulfilment = "pdSmwOyAzFtEW95_ePlZGRmEGxrOXj8LaUdafd95F80"
)

// selfTestILP makes packet, condition and fulfilment of a known transaction.
func selfTestILP() error {
	key, err := parse(cpm.Material{Algorithm: "HS256", Use: cpm.UseILP, Private: secret.Take([]byte(ilpSecretAnswer))})
	if err != nil {
		return fmt.Errorf("ilp: the key cannot be read: %w", err)
	}
	handle, ok := key.(operation.ILPSecret)
	if !ok {
		return errors.New("ilp: the key makes no fulfilments")
	}
	t, err := fspiop.NewILPTransaction([]byte(ilpTransaction), fspiop.FormSorted)
	if err != nil {
		return fmt.Errorf("ilp: %w", err)
	}
	offer, err := fspiop.NewILPOffer(fspiop.ILPv1, t)
	if err != nil {
		return fmt.Errorf("ilp: %w", err)
	}
	message, err := offer.Input(fspiop.ILPDeployed)
	if err != nil {
		return fmt.Errorf("ilp: %w", err)
	}
	preimage, err := handle.Fulfil(fspiop.ILPDeployed, message)
	if err != nil {
		return fmt.Errorf("ilp: %w", err)
	}
	if a := offer.Answer(preimage); a.Condition != ilpCondition || a.Fulfilment != ilpFulfilment {
		return errors.New("ilp: the known transaction gave another answer")
	}
	return nil
}
