package fspiop

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
)

// The example of "Signature" v1.1, section 4: protected header and body as its base64url texts have them. The signature is
// the document's with the hyphens that were lost there at line ends; it is what RS256 gives with the key of the example.
const (
	exampleHeader = `{"alg":"RS256","FSPIOP-Destination":"5678","FSPIOP-URI":"/quotes","FSPIOP-HTTP-Method":"POST",` +
		`"Date":"Tue, 23 May 2017 21:12:31 GMT","FSPIOP-Source":"1234"}`
	exampleBody = `{"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"15295558888","fspId":"5678"}},` +
		`"amountType":"RECEIVE","transactionType":{"scenario":"TRANSFER","initiator":"PAYER",` +
		`"subScenario":"P2P Transfer across MM systems","initiatorType":"CONSUMER"},"note":"this is a sample for POST /quotes",` +
		`"amount":{"amount":"150","currency":"USD"},"fees":{"amount":"1.5","currency":"USD"},` +
		`"extensionList":[{"value":"value1","key":"key1"},{"value":"value2","key":"key2"},{"value":"value3","key":"key3"}],` +
		`"geoCode":{"latitude":"57.323889","longitude":"125.520001"},"expiration":"2017-05-24T08:40:00.000-04:00",` +
		`"payer":{"personalInfo":{"complexName":{"firstName":"Bill","middleName":"Ben","LastName":"Lee"},` +
		`"dateOfBirth":"1986-02-14"},"partyIdInfo":{"partyIdType":"MSISDN","partySubIdOrType":"RegisteredCustomer",` +
		`"partyIdentifier":"16135551212","fspId":"1234"},"name":"Bill Lee"},"quoteId":"59e331fa-345f-4554-aac8-fcd8833f7d50",` +
		`"transactionId":"36629a51-393a-4e3c-b347-c2cb57e1e1fc"}`
	exampleSignature = "dz2ntyS0_rDyA0pLeWluG--tBcYYrlvG99ffkXcEB-uve5Qzvzyn0ZUi82J7h17RsdfHPuTnbEGvCeU9Y4Bg0nIZHGL4icswaaO0" +
		"9T5hPPY-KBTzVQeHkokLmL4dXpHdr1ggSEpu3WEU3nfgOFGGAdOq355i1iGuDbhqm_lSfVHaqdVCEhkJ2Y_r2glO2QpdZrcbvsBV39derj_PlfISBBGj" +
		"dh0dIPxnFIVcZuPHiq9Ha2MslrBHfqwFfNeU_xhErBd2PywkDQJbKOlfqdkmFC9bS8Ofx0O6Mg7qdFGw-QkseJTfp0HMbH1d9e6H0cocY8xfuDNGaZpO" +
		"JhxiYtiPLg"
	// exampleDamaged is the printed signature, as it stands in the document's FSPIOP-Signature header.
	exampleDamaged = "dz2ntyS0_rDyA0pLeWluG--tBcYYrlvG99ffkXcEBuve5Qzvzyn0ZUi82J7h17RsdfHPuTnbEGvCeU9Y4Bg0nIZHGL4icswaaO09T5hPPYK" +
		"BTzVQeHkokLmL4dXpHdr1ggSEpu3WEU3nfgOFGGAdOq355i1iGuDbhqm_lSfVHaqdVCEhkJ2Y_r2glO2QpdZrcbvsBV39derj_PlfISBBGjdh0dIPxnFI" +
		"VcZuPHiq9Ha2MslrBHfqwFfNeU_xhErBd2PywkDQJbKOlfqdkmFC9bS8Ofx0O6Mg7qdFGwQkseJTfp0HMbH1d9e6H0cocY8xfuDNGaZpOJhxiYtiPLg"
)

// exampleMessage is the request of the example with a signature.
func exampleMessage(signature string) *Message {
	encoded := base64.RawURLEncoding.EncodeToString([]byte(exampleHeader))
	return &Message{
		Method: "POST", URI: "/quotes", Body: []byte(exampleBody),
		Headers: map[string]string{
			"Accept": "application/vnd.interoperability.quotes+json;version=1.0", "FSPIOP-Source": "1234",
			"FSPIOP-Destination": "5678", "Content-Length": "975", "Date": "Tue, 23 May 2017 21:12:31 GMT",
			"Content-Type":     "application/vnd.interoperability.quotes+json;version=1.0",
			"FSPIOP-Signature": `{"signature": "` + signature + `", "protectedHeader": "` + encoded + "\"\n}",
		},
	}
}

func TestExampleOfTheSpecificationVerifies(t *testing.T) {
	t.Parallel()
	strict := &cpm.Policy{Algorithms: []string{"RS256"}, Raw: true, DateWindow: time.Second}
	keys := []Key{{Public: rsaKey().Public()}}
	v := Verify(keys, "1234", exampleMessage(exampleSignature), strict, sampleTime())
	if !v.Valid || v.Form != FormRaw || v.Algorithm != "RS256" {
		t.Errorf("verdict is %+v", v)
	}
	v = Verify(keys, "1234", exampleMessage(exampleDamaged), nil, sampleTime())
	if v.Reason != ReasonSignatureMismatch {
		t.Errorf("reason for the damaged signature is %q, want %q", v.Reason, ReasonSignatureMismatch)
	}
}

func TestExampleOfTheSpecificationIsWhatWeSign(t *testing.T) {
	t.Parallel()
	if len(exampleBody) != 975 {
		t.Fatalf("body has %d octets, Content-Length of the example is 975", len(exampleBody))
	}
	input, _ := signingInput([]byte(exampleHeader), []byte(exampleBody))
	signature, err := algorithmNamed(t, "RS256").Sign(nil, rsaKey(), input)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exampleSignature, base64.RawURLEncoding.EncodeToString(signature)); diff != "" {
		t.Errorf("signature (-want +got):\n%s", diff)
	}
}
