package canon_test

import (
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/canon"
)

// quote is a POST /quotes body of about 0.8 KB in the order services write it.
const quote = `{"quoteId":"7c23e80c-d078-4077-8263-2c047876fcf6","transactionId":"85feac2f-39b2-491b-817e-4a03203d4f14","payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27713803912","fspId":"payeefsp"}},"payer":{"personalInfo":{"complexName":{"firstName":"Mats","lastName":"Hagman"},"dateOfBirth":"1983-10-25"},"partyIdInfo":{"partyIdType":"IBAN","partyIdentifier":"SE4550000000058398257466","fspId":"payerfsp"}},"amountType":"RECEIVE","amount":{"amount":"100","currency":"USD"},"transactionType":{"scenario":"TRANSFER","initiator":"PAYER","initiatorType":"CONSUMER"},"note":"From Mats","geoCode":{"latitude":"57.323889","longitude":"125.520001"},"expiration":"2017-05-24T08:40:00.000-04:00","extensionList":{"extension":[{"value":"v1","key":"k1"},{"value":"v2","key":"k2"}]}}`

// megabyte is an array of 1,300 quotes.
func megabyte() string {
	return "[" + strings.Repeat(quote+",", 1299) + quote + "]"
}

func benchmarks() map[string][]byte {
	large := megabyte()
	small, _ := canon.Parse([]byte(quote))
	return map[string][]byte{
		"1KB":        []byte(quote),
		"1KB-sorted": small.AppendSorted(nil),
		"1KB-spaced": []byte(strings.ReplaceAll(strings.ReplaceAll(quote, `":`, `": `), `,"`, `, "`)),
		"1MB":        []byte(large),
	}
}

func BenchmarkParse(b *testing.B) {
	each(b, func(b *testing.B, src []byte) {
		for b.Loop() {
			if _, err := canon.Parse(src); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParseAndSort(b *testing.B) {
	each(b, func(b *testing.B, src []byte) {
		buffer := make([]byte, 0, len(src))
		for b.Loop() {
			doc, err := canon.Parse(src)
			if err != nil {
				b.Fatal(err)
			}
			buffer = doc.AppendSorted(buffer[:0])
		}
	})
}

func BenchmarkFallback(b *testing.B) {
	each(b, func(b *testing.B, src []byte) {
		buffer := make([]byte, 0, len(src))
		for b.Loop() {
			doc, err := canon.Parse(src)
			if err != nil || doc.Ambiguous() != nil {
				b.Fatal("refused")
			}
			buffer = doc.AppendSorted(buffer[:0])
			buffer = doc.AppendLegacy(buffer[:0])
		}
	})
}

func BenchmarkHostile(b *testing.B) {
	for name, src := range hostile(100_000) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				doc, err := canon.Parse([]byte(src))
				if err != nil {
					b.Fatal(err)
				}
				_ = doc.Ambiguous()
				doc.AppendLegacy(doc.AppendSorted(nil))
			}
		})
	}
}

func each(b *testing.B, run func(*testing.B, []byte)) {
	for name, src := range benchmarks() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			run(b, src)
		})
	}
}

func TestAQuoteTakesFewAllocations(t *testing.T) {
	src, buffer := []byte(quote), make([]byte, 0, 2*len(quote))
	got := testing.AllocsPerRun(100, func() {
		doc, err := canon.Parse(src)
		if err != nil || doc.Ambiguous() != nil {
			t.Fatal("refused")
		}
		buffer = doc.AppendSorted(buffer[:0])
		buffer = doc.AppendLegacy(buffer[:0])
	})
	if got > 4 {
		t.Errorf("%v allocations, want at most 4", got)
	}
}
