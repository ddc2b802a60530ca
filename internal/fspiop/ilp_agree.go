package fspiop

import (
	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// The reasons why a transfer does not agree with the packet.
const (
	ILPPacketDiffers       ILPReason = "ilp-packet"
	ILPConditionDiffers    ILPReason = "condition"
	ILPNoTransaction       ILPReason = "transaction"
	ILPPayerDiffers        ILPReason = "payer-fsp"
	ILPPayeeDiffers        ILPReason = "payee-fsp"
	ILPCurrencyDiffers     ILPReason = "currency"
	ILPAmountDiffers       ILPReason = "amount"
	ILPInitiatorDiffers    ILPReason = "initiating-fsp"
	ILPCounterPartyDiffers ILPReason = "counter-party-fsp"
	ILPSourceDiffers       ILPReason = "source-amount"
	ILPTargetDiffers       ILPReason = "target-amount"
)

// agreement is a text that must be there and the same in a transfer and in the packet's transaction object.
type agreement struct {
	reason                ILPReason
	transfer, transaction []string
}

// transferAgreements are what the library compares of POST /transfers.
func transferAgreements() []agreement {
	return []agreement{
		{ILPPayerDiffers, []string{"payerFsp"}, []string{"payer", "partyIdInfo", "fspId"}},
		{ILPPayeeDiffers, []string{"payeeFsp"}, []string{"payee", "partyIdInfo", "fspId"}},
		{ILPCurrencyDiffers, []string{"amount", "currency"}, []string{"amount", "currency"}},
		{ILPAmountDiffers, []string{"amount", "amount"}, []string{"amount", "amount"}},
	}
}

// conversionAgreements are the same of POST /fxTransfers, which the library does not compare.
func conversionAgreements() []agreement {
	const terms = "conversionTerms"
	return []agreement{
		{ILPInitiatorDiffers, []string{"initiatingFsp"}, []string{terms, "initiatingFsp"}},
		{ILPCounterPartyDiffers, []string{"counterPartyFsp"}, []string{terms, "counterPartyFsp"}},
		{ILPSourceDiffers, []string{"sourceAmount", "currency"}, []string{terms, "sourceAmount", "currency"}},
		{ILPSourceDiffers, []string{"sourceAmount", "amount"}, []string{terms, "sourceAmount", "amount"}},
		{ILPTargetDiffers, []string{"targetAmount", "currency"}, []string{terms, "targetAmount", "currency"}},
		{ILPTargetDiffers, []string{"targetAmount", "amount"}, []string{terms, "targetAmount", "amount"}},
	}
}

// ILPDisagreement says what of a transfer (body of POST /transfers or /fxTransfers) does not agree with the packet; nothing if
// it agrees. Texts are compared as they are, so that amount "1.0" is not "1". Beside what the library compares, the packet that
// the transfer carries must be this one, and the condition the one in a packet of version 4. Its errors are Invalid.
func ILPDisagreement(packet string, p *ILPPacket, transfer []byte) (ILPReason, error) {
	doc, err := canon.Parse(transfer)
	if err != nil || !doc.IsObject() {
		return "", fault.New(fault.Invalid, "the transfer is not a JSON object").Because(err)
	}
	if err := doc.Ambiguous(); err != nil {
		return "", fault.New(fault.Invalid, "the transfer can be read in two ways, for example for repeated members").Because(err)
	}
	if v, ok := memberOf(doc, "ilpPacket"); ok {
		if text, _ := v.Text(); text != packet {
			return ILPPacketDiffers, nil
		}
	}
	if v, ok := memberOf(doc, "condition"); ok && p.Version == ILPv4 {
		if text, _ := v.Text(); text != base64url.EncodeToString(p.Condition[:]) {
			return ILPConditionDiffers, nil
		}
	}
	return disagreement(transfer, p), nil
}

func disagreement(transfer []byte, p *ILPPacket) ILPReason {
	transaction, _ := p.Transaction()
	doc, err := canon.Parse(transaction)
	if err != nil || doc.Ambiguous() != nil {
		return ILPNoTransaction
	}
	all := transferAgreements()
	if terms, ok := memberOf(doc, "conversionTerms"); ok && truthy(terms) {
		all = conversionAgreements()
	}
	for _, a := range all {
		theirs, there := textOf(transfer, a.transfer...)
		ours, here := textOf(transaction, a.transaction...)
		if !there || !here || theirs != ours {
			return a.reason
		}
	}
	return ""
}
