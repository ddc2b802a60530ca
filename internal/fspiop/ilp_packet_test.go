package fspiop

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/fault"
)

func TestPacketsAreReadStrictly(t *testing.T) {
	t.Parallel()
	payment := &ILPPacket{Version: ILPv1, Amount: 1<<63 + 7, Account: []byte("g.b.msisdn.1"), Data: []byte("eyJhIjoxfQ")}
	prepare := &ILPPacket{
		Version: ILPv4, Amount: 5, Account: []byte(mojaloopAddress), ExpiresAt: time.Date(2026, 11, 22, 8, 0, 0, 123e6, time.UTC),
		Condition: [32]byte{1, 2, 3}, Data: []byte(strings.Repeat("A", 300)),
	}
	for _, p := range []*ILPPacket{payment, prepare} {
		for _, padding := range []string{"", strings.Repeat("=", (4-len(p.Encode())%4)%4)} {
			got, err := DecodeILPPacket(p.Encode() + padding)
			if diff := cmp.Diff(p, got); err != nil || diff != "" {
				t.Errorf("%v (-written +read)\n%s", err, diff)
			}
		}
	}
	v1, v4 := payment.octets(), prepare.octets()
	change := func(octets []byte, at int, with ...byte) string {
		out := append([]byte(nil), octets...)
		copy(out[at:], with)
		return base64url.EncodeToString(out)
	}
	join := func(parts ...[]byte) string {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return base64url.EncodeToString(all)
	}
	for what, text := range map[string]string{
		"no base64url":                 "AQ*",
		"the other alphabet":           "+Q",
		"bits left over":               "AR",
		"a line end":                   payment.Encode() + "\n",
		"too much padding":             payment.Encode() + "====",
		"padding in the wrong place":   payment.Encode() + strings.Repeat("=", (4-len(payment.Encode())%4)%4+1),
		"too long":                     strings.Repeat("A", maxILPPacket+4),
		"only a type":                  join([]byte{1}),
		"another type":                 change(v1, 0, 13),
		"something behind it":          join(v1, []byte{0}),
		"cut":                          base64url.EncodeToString(v1[:len(v1)-1]),
		"a length too great":           change(v1, 1, v1[1]+1),
		"a length too small":           change(v1, 1, v1[1]-1),
		"a long form for a short one":  join([]byte{1, 0x81, v1[1]}, v1[2:]),
		"a leading zero in the length": join([]byte{12, 0x83, 0}, v4[2:]),
		"the indefinite form":          join([]byte{1, 0x80}, v1[2:]),
		"a length of eight octets":     join([]byte{1, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, v1[2:]),
		"an extension":                 change(v1, len(v1)-1, 1),
		"a field behind the last":      join([]byte{1, v1[1] + 1}, v1[2:], []byte{0}),
		"a month that is none":         change(v4, 12+4, '1', '3'),
		"a day that is none":           change(v4, 12+6, '3', '2'),
		"an hour that is none":         change(v4, 12+8, '2', '4'),
		"a time that is no number":     change(v4, 12+16, 'x'),
		"a destination of no scheme":   change(v4, 12+17+32+1, 'x'),
		"an empty segment":             change(v4, 12+17+32+2, '.', '.'),
		"a segment with a space":       change(v4, 12+17+32+4, ' '),
		"no segment":                   change(v4, 12+17+32+2, 'x'),
		"an address that is too long": (&ILPPacket{
			Version: ILPv4, ExpiresAt: prepare.ExpiresAt, Account: []byte("g." + strings.Repeat("a", 1022)),
		}).Encode(),
	} {
		if p, err := DecodeILPPacket(text); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	if _, err := DecodeILPPacket(""); !errors.Is(err, fault.Missing) {
		t.Errorf("nothing: %v", err)
	}
	for what, p := range map[string]*ILPPacket{
		"none": {Version: ILPv4, Account: []byte("g.x"), ExpiresAt: prepare.ExpiresAt},
		"bad":  {Version: ILPv4, Account: []byte("g.x"), ExpiresAt: prepare.ExpiresAt, Data: []byte("?")},
	} {
		if _, err := ReceivedILPOffer(p.Encode()); !errors.Is(err, fault.Invalid) {
			t.Errorf("data: %s: %v", what, err)
		}
	}
}
