package fspiop

import (
	"math"
	"strings"
	"testing"
)

func TestAnAmountIsAWholeNumberOfTheSmallestUnit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		money string
		want  uint64
		ok    bool
	}{
		{`{"currency":"USD","amount":"1.1"}`, 110, true},
		{`{"currency":"USD","amount":"0"}`, 0, true},
		{`{"currency":"USD","amount":"100.00"}`, 10000, true},
		{`{"currency":"USD","amount":"007.50"}`, 750, true},
		{`{"currency":"USD","amount":12.5}`, 1250, true},
		{`{"currency":"XOF","amount":"99"}`, 99, true},
		{`{"currency":"XOF","amount":"99.0"}`, 99, true},
		{`{"currency":"TND","amount":"1.001"}`, 1001, true},
		{`{"currency":"XXX","amount":"1.0001"}`, 10001, true},
		{`{"currency":"XOF","amount":"18446744073709551615"}`, math.MaxUint64, true},
		{`{"currency":"XOF","amount":"18446744073709551616"}`, 0, false},
		{`{"currency":"USD","amount":"184467440737095516.16"}`, 0, false},
		{`{"currency":"USD","amount":"1.001"}`, 0, false},
		{`{"currency":"JPY","amount":"1.5"}`, 0, false},
		{`{"currency":"USD","amount":"-1"}`, 0, false},
		{`{"currency":"USD","amount":"+1"}`, 0, false},
		{`{"currency":"USD","amount":"1e2"}`, 0, false},
		{`{"currency":"USD","amount":1e2}`, 0, false},
		{`{"currency":"USD","amount":" 1"}`, 0, false},
		{`{"currency":"USD","amount":"1_0"}`, 0, false},
		{`{"currency":"USD","amount":"1."}`, 0, false},
		{`{"currency":"USD","amount":".5"}`, 0, false},
		{`{"currency":"USD","amount":"1.0.0"}`, 0, false},
		{`{"currency":"USD","amount":""}`, 0, false},
		{`{"currency":"USD","amount":null}`, 0, false},
		{`{"currency":"USD","amount":true}`, 0, false},
		{`{"currency":"USD"}`, 0, false},
		{`{"currency":"usd","amount":"1"}`, 0, false},
		{`{"currency":"D U","amount":"1"}`, 0, false},
		{`{"currency":"XYZ","amount":"1"}`, 0, false},
		{`{"currency":7,"amount":"1"}`, 0, false},
		{`{"amount":"1"}`, 0, false},
		{`"USD 1"`, 0, false},
		{`{"currency":"USD","amount":"` + strings.Repeat("0", 64) + `1"}`, 0, false},
	} {
		tx, err := NewILPTransaction([]byte(`{"amount":`+test.money+`}`), FormSorted)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.money, err)
		} else if err == nil && tx.amount != test.want {
			t.Errorf("%s: %d, want %d", test.money, tx.amount, test.want)
		}
	}
}
