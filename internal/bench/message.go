package bench

import (
	"fmt"
	"maps"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// The one request line every message has.
const (
	messageMethod = "POST"
	messageURI    = "/quotes"
)

// quoteText is a quote of about 1 KB as a Mojaloop connector writes it (API Definition v1.1, section 6.5.3), members in the
// order of the specification.
const quoteText = `{"quoteId":"b51ec534-ee48-4575-b6a9-%012[1]d","transactionId":"85feac2f-39b2-491b-817e-%012[1]d",` +
	`"transactionRequestId":"a8323bc6-c228-4df2-ae82-%012[1]d",` +
	`"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27713803%06[1]d","fspId":"payeefsp"},` +
	`"name":"Chipo Moyo","personalInfo":{"complexName":{"firstName":"Chipo","lastName":"Moyo"},"dateOfBirth":"1971-12-25"}},` +
	`"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27713804%06[1]d","fspId":%[2]q},` +
	`"name":"Amina Diallo","personalInfo":{"complexName":{"firstName":"Amina","lastName":"Diallo"},"dateOfBirth":"1974-01-01"}},` +
	`"amountType":"SEND","amount":{"amount":"%[1]d.25","currency":"USD"},` +
	`"transactionType":{"scenario":"TRANSFER","initiator":"PAYER","initiatorType":"CONSUMER"},` +
	`"note":"from the load driver, message %[1]d","expiration":"2030-01-01T00:00:00.000Z",` +
	`"extensionList":{"extension":[{"key":"branch","value":"Harare 12"},{"key":"channel","value":"mobile"}]}}`

// signRequest is the i-th message of an FSP, to be signed with a key. The date is an HTTP date (RFC 9110, section 5.6.7).
func signRequest(fsp, key, date string, i int) *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: &cpmv1.JwsSignRequest{
		Method: messageMethod,
		Uri:    messageURI,
		Headers: map[string]string{
			"content-type":       "application/vnd.interoperability.quotes+json;version=1.1",
			"date":               date,
			"fspiop-source":      fsp,
			"fspiop-destination": "payeefsp",
		},
		Content: &cpmv1.JwsSignRequest_Body{Body: fmt.Sprintf(quoteText, i+1, fsp)},
		Key:     &cpmv1.KeySelector{Name: key},
	}}}
}

// verifyRequest is a message as its receiver would see it, given the request to sign it and the answer.
func verifyRequest(request *cpmv1.ProcessRequest, answer *cpmv1.JwsSignResponse) *cpmv1.ProcessRequest {
	asked := request.GetJwsSign()
	headers := maps.Clone(asked.GetHeaders())
	maps.Copy(headers, answer.GetHeaders())
	verify := &cpmv1.JwsVerifyRequest{Method: asked.GetMethod(), Uri: asked.GetUri(), Headers: headers, Key: asked.GetKey()}
	switch content := answer.GetContent().(type) {
	case *cpmv1.JwsSignResponse_Body:
		verify.Content = &cpmv1.JwsVerifyRequest_Body{Body: content.Body}
	case *cpmv1.JwsSignResponse_BodyBase64:
		verify.Content = &cpmv1.JwsVerifyRequest_BodyBase64{BodyBase64: content.BodyBase64}
	}
	return &cpmv1.ProcessRequest{Fsp: request.GetFsp(), Operation: &cpmv1.ProcessRequest_JwsVerify{JwsVerify: verify}}
}
