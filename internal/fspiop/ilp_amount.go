package fspiop

import (
	"strconv"
	"strings"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// The currencies (ISO 4217) by the number of their decimals, as Mojaloop's library of today has them. Older releases differ in
// XXX and XTS.
const (
	decimals0 = " BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "
	decimals2 = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE" +
		" CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL" +
		" HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR" +
		" MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD" +
		" SHP SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VES WST XCD YER ZAR ZMW" +
		" ZWL "
	decimals3 = " BHD IQD JOD KWD LYD OMR TND "
	decimals4 = " CLF UYW XTS XXX "
)

// currencyDecimals is how many decimals a currency has.
func currencyDecimals(code string) (int, bool) {
	if len(code) != 3 || strings.Contains(code, " ") {
		return 0, false
	}
	code = " " + code + " "
	switch {
	case strings.Contains(decimals2, code):
		return 2, true
	case strings.Contains(decimals0, code):
		return 0, true
	case strings.Contains(decimals3, code):
		return 3, true
	case strings.Contains(decimals4, code):
		return 4, true
	}
	return 0, false
}

// minorUnits turns an FSPIOP Money into the smallest unit of its currency. What is no whole number of them, or more than 64
// bits hold, is refused: releases of the library made an unrelated number of it.
func minorUnits(money canon.Value) (uint64, error) {
	currency, _ := textOf(money.Raw(), "currency")
	decimals, known := currencyDecimals(currency)
	if !known {
		return 0, fault.New(fault.Invalid, "the currency of the amount is not one of ISO 4217 with known decimals")
	}
	amount, err := lookup(money.Raw(), "amount")
	if err != nil {
		return 0, err
	}
	text, isText := amount.Text()
	if !isText && amount.Kind() == canon.Number {
		text = string(amount.Raw())
	}
	units, ok := shift(text, decimals)
	if !ok {
		return 0, fault.New(fault.Invalid,
			"the amount must be plain decimal, not below zero, a whole number of the currency's smallest unit, and fit 64 bits")
	}
	return units, nil
}

// maxDigits is more than any amount needs.
const maxDigits = 64

// shift moves the decimal point to the right.
func shift(text string, places int) (uint64, bool) {
	whole, fraction, pointed := strings.Cut(text, ".")
	if len(text) > maxDigits || whole == "" || pointed && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > places {
		return 0, false
	}
	units, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 64)
	return units, err == nil
}
