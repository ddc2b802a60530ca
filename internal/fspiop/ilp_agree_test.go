package fspiop

import (
	"errors"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/fault"
)

func TestILPTransfersAreComparedWithTheirPacket(t *testing.T) {
	t.Parallel()
	_, answers := knownILP(t)
	find := func(version int, quoted, converted bool) ilpAnswer {
		for _, a := range answers {
			if a.Release == "19.19.1" && a.Version == version && (a.Quote != nil) == quoted && (a.FxQuote != nil) == converted {
				return a
			}
		}
		t.Fatal("no such answer")
		return ilpAnswer{}
	}
	v1, v4, fx, odd := find(1, true, false), find(4, true, false), find(4, false, true), find(1, false, false)
	transfer := `"payerFsp":"payerfsp","payeeFsp":"PayeeFSP","amount":{"currency":"USD","amount":"1023.45"}`
	conversion := `"initiatingFsp":"PayerFSP","counterPartyFsp":"FXP-1","sourceAmount":{"currency":"ZMW","amount":"21000"},` +
		`"targetAmount":{"currency":"TZS","amount":"48000.5"}`
	for _, test := range []struct {
		of       ilpAnswer
		transfer string
		want     ILPReason
	}{
		{v1, transfer, ""},
		{v4, transfer, ""},
		{v1, transfer + `,"ilpPacket":"` + v1.IlpPacket + `","condition":"` + v1.Condition + `"`, ""},
		{v1, transfer + `,"condition":"` + fx.Condition + `"`, ""}, // a packet of version 1 has no condition
		{v4, transfer + `,"condition":"` + v4.Condition + `"`, ""},
		{v4, transfer + `,"condition":"` + v1.Condition + `"`, ILPConditionDiffers},
		{v4, transfer + `,"ilpPacket":"` + v1.IlpPacket + `"`, ILPPacketDiffers},
		{v1, strings.Replace(transfer, `"payerfsp"`, `"PayerFSP"`, 1), ILPPayerDiffers},
		{v1, strings.Replace(transfer, `"payerFsp"`, `"payer"`, 1), ILPPayerDiffers},
		{v1, strings.Replace(transfer, "PayeeFSP", "payeefsp", 1), ILPPayeeDiffers},
		{v1, strings.Replace(transfer, "USD", "EUR", 1), ILPCurrencyDiffers},
		{v1, strings.Replace(transfer, "1023.45", "1023.450", 1), ILPAmountDiffers},
		{v1, strings.Replace(transfer, `"1023.45"`, `1023.45`, 1), ILPAmountDiffers},
		{odd, transfer, ILPPayerDiffers},
		{fx, conversion, ""},
		{fx, conversion + `,"condition":"` + fx.Condition + `"`, ""},
		{fx, transfer, ILPInitiatorDiffers},
		{fx, strings.Replace(conversion, "FXP-1", "FXP-2", 1), ILPCounterPartyDiffers},
		{fx, strings.Replace(conversion, "21000", "2100", 1), ILPSourceDiffers},
		{fx, strings.Replace(conversion, "TZS", "USD", 1), ILPTargetDiffers},
	} {
		got, err := ILPDisagreement(test.of.IlpPacket, must(DecodeILPPacket(test.of.IlpPacket)), []byte("{"+test.transfer+"}"))
		if err != nil || got != test.want {
			t.Errorf("version %d, %s: %q %v, want %q", test.of.Version, test.transfer, got, err, test.want)
		}
	}
	p := must(DecodeILPPacket(v1.IlpPacket))
	for _, bad := range []string{"", "[]", `{"amount":1,"amount":2}`} {
		if _, err := ILPDisagreement(v1.IlpPacket, p, []byte(bad)); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	empty := &ILPPacket{Version: ILPv1, Account: []byte("g.x"), Data: []byte("?")}
	if got, err := ILPDisagreement(empty.Encode(), empty, []byte("{"+transfer+"}")); err != nil || got != ILPNoTransaction {
		t.Errorf("without a transaction: %q %v", got, err)
	}
}
