package canon

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
)

func TestNumbersOfRFC8785AppendixB(t *testing.T) {
	t.Parallel()
	tests := []struct {
		bits uint64
		want string
	}{
		{0x0000000000000000, "0"},
		{0x8000000000000000, "0"},
		{0x0000000000000001, "5e-324"},
		{0x8000000000000001, "-5e-324"},
		{0x7fefffffffffffff, "1.7976931348623157e+308"},
		{0xffefffffffffffff, "-1.7976931348623157e+308"},
		{0x4340000000000000, "9007199254740992"},
		{0xc340000000000000, "-9007199254740992"},
		{0x4430000000000000, "295147905179352830000"},
		{0x44b52d02c7e14af5, "9.999999999999997e+22"},
		{0x44b52d02c7e14af6, "1e+23"},
		{0x44b52d02c7e14af7, "1.0000000000000001e+23"},
		{0x444b1ae4d6e2ef4e, "999999999999999700000"},
		{0x444b1ae4d6e2ef4f, "999999999999999900000"},
		{0x444b1ae4d6e2ef50, "1e+21"},
		{0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
		{0x3eb0c6f7a0b5ed8d, "0.000001"},
		{0x41b3de4355555553, "333333333.3333332"},
		{0x41b3de4355555554, "333333333.33333325"},
		{0x41b3de4355555555, "333333333.3333333"},
		{0x41b3de4355555556, "333333333.3333334"},
		{0x41b3de4355555557, "333333333.33333343"},
		{0xbecbf647612f3696, "-0.0000033333333333333333"},
		{0x43143ff3c1cb0959, "1424953923781206.2"},
	}
	for _, test := range tests {
		value := math.Float64frombits(test.bits)
		for _, token := range []string{test.want, strconv.FormatFloat(value, 'e', 16, 64), strconv.FormatFloat(value, 'f', -1, 64), strconv.FormatFloat(value, 'f', 1100, 64)} {
			if got := string(appendNumber(nil, []byte(token))); got != test.want {
				t.Errorf("%x as %s is %s, want %s", test.bits, token, got, test.want)
			}
		}
	}
}

func TestNumbersAreRoundedFromTheWholeToken(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("0", 200_000)
	half := "1.00000000000000011102230246251565404236316680908203125" // between two doubles: to even
	tests := []struct {
		token, want string
		lossy       bool
	}{
		{"0." + zeros + "1e200001", "1", false},
		{"7" + zeros + "e-200000", "7", false},
		{"-0." + zeros + "25e199999", "-0.025", false},
		{"0." + zeros + "1", "0", true},
		{"1" + zeros, "null", true},
		{"8" + strings.Repeat("0", 2900) + "e-730", "null", true},
		{"8" + strings.Repeat("0", 1000) + "e-730", "8e+270", false},
		{"0." + zeros + "e" + zeros + "9", "0", false},
		{"1e-" + zeros + "1", "0.1", false},
		{"1e99999999999999999999999999999999", "null", true},
		{"1e-99999999999999999999999999999999", "0", true},
		{half, "1", true},
		{half + zeros, "1", true},
		{half + zeros + "1", "1.0000000000000002", true},
		{"0." + strings.Repeat("9", 5000), "1", true},
		{"179769313486231580794" + strings.Repeat("0", 288), "null", true},
		{"179769313486231580792" + strings.Repeat("9", 288), "1.7976931348623157e+308", true},
		{"2.4703282292062327e-324", "0", true},
		{"2.4703282292062328e-324", "5e-324", true},
		{"5e-324", "5e-324", false},
		{"100000000000000000000", "100000000000000000000", false},
		{"1000000000000000000000", "1e+21", false},
		{"0.0000010", "0.000001", false},
		{"0.00000010", "1e-7", false},
	}
	for _, test := range tests {
		if got := string(appendNumber(nil, []byte(test.token))); got != test.want {
			t.Errorf("%.60s is %s, want %s", test.token, got, test.want)
		}
		if got := lossy([]byte(test.token)); got != test.lossy {
			t.Errorf("lossy(%.60s) = %v, want %v", test.token, got, test.lossy)
		}
	}
}

// FuzzNumber compares with exact arithmetic, as far as that is affordable.
func FuzzNumber(f *testing.F) {
	for _, token := range []string{"0", "-0.0e5", "0.1", "1.50e-3", "123456789012345678901", "0.1000000000000000055", "1e22", "1e23", "-9007199254740993", "5e-324", "1e400", "4.35", "1e-400", "00", "1."} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if token == "" {
			return
		}
		if end, _ := scanNumber([]byte(token), 0); end != len(token) || exponentDigits(token) > 3 {
			return
		}
		exact, ok := new(big.Rat).SetString(token)
		if !ok {
			t.Fatalf("%q is no number", token)
		}
		form := string(appendNumber(nil, []byte(token)))
		if form == "null" {
			checkInfinite(t, token, exact)
			return
		}
		written, ok := new(big.Rat).SetString(form)
		if !ok {
			t.Fatalf("%q becomes %q", token, form)
		}
		nearest, _ := exact.Float64()
		if got, err := strconv.ParseFloat(form, 64); err != nil || got != nearest {
			t.Errorf("%q becomes %q, want %v", token, form, nearest)
		}
		if got, want := lossy([]byte(token)), exact.Cmp(written) != 0; got != want {
			t.Errorf("lossy(%q) = %v, want %v", token, got, want)
		}
	})
}

// checkInfinite asks exact arithmetic: strconv forgets the place of digits behind the 800th.
func checkInfinite(t *testing.T, token string, exact *big.Rat) {
	t.Helper()
	if nearest, _ := exact.Float64(); !math.IsInf(nearest, 0) {
		t.Errorf("%q becomes null", token)
	}
	if !lossy([]byte(token)) {
		t.Errorf("lossy(%q) is false", token)
	}
}

func exponentDigits(token string) int {
	_, exponent, _ := strings.Cut(strings.ToLower(token), "e")
	return len(strings.TrimLeft(exponent, "+-"))
}
