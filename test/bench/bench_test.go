// Package bench measures the whole CPM in one process, client and server together, for profiling: what a request costs
// beside its cryptography. `cpm bench` is the measure of record.
package bench

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
)

// batchSize is how many operations a batch has.
const batchSize = 100

// quote is a usual request of about 1 KB, its members in the order of the schema.
const quote = `{"quoteId":"%036d","transactionId":"85feac2f-39b2-491b-817e-4a03203d4f14","payer":{"personalInfo":` +
	`{"complexName":{"firstName":"Mats","lastName":"Hagman"},"dateOfBirth":"1983-10-25"},"partyIdInfo":{"partyIdType":"MSISDN",` +
	`"partyIdentifier":"27713803905","fspId":"payerfsp"}},"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":` +
	`"27713803912","fspId":"payeefsp","extensionList":{"extension":[{"key":"k1","value":"v1"},{"key":"k2","value":"v2"}]}}},` +
	`"amountType":"SEND","amount":{"currency":"USD","amount":"100"},"fees":{"currency":"USD","amount":"1.25"},"transactionType":` +
	`{"scenario":"TRANSFER","initiator":"PAYER","initiatorType":"CONSUMER"},"geoCode":{"latitude":"+45.4215","longitude":"-75.6972"},` +
	`"note":"From Mats","expiration":"2017-05-24T08:40:00.000-04:00"}`

// BenchmarkBatch signs batches over gRPC; an op is one signature.
func BenchmarkBatch(b *testing.B) {
	for _, algorithm := range []string{"ES256", "RS256"} {
		b.Run(algorithm, func(b *testing.B) { benchmarkBatch(b, algorithm) })
	}
}

func benchmarkBatch(b *testing.B, algorithm string) {
	m := cpmtest.Start(b, cpmtest.Config{Keys: []keys.Addition{
		{FSP: "payerfsp", Name: "jws", Use: cpm.UseSignature, Generate: algorithm},
	}})
	connection, err := grpc.NewClient(m.At.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(m.TLS(cpmtest.Client))))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = connection.Close() })
	client := cpmv1.NewCryptographicServiceClient(connection)
	request := &cpmv1.BatchRequest{}
	for i := range batchSize {
		request.Items = append(request.Items, &cpmv1.ProcessRequest{Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_JwsSign{
			JwsSign: &cpmv1.JwsSignRequest{
				Method: "POST", Uri: "/quotes",
				Headers: map[string]string{"fspiop-source": "payerfsp", "fspiop-destination": "payeefsp", "date": "Tue, 23 May 2017 21:12:31 GMT"},
				Content: &cpmv1.JwsSignRequest_Body{Body: fmt.Sprintf(quote, i)},
			},
		}})
	}
	b.ReportAllocs()
	b.SetParallelism(2)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if n%batchSize != 0 {
				continue
			}
			answer, err := client.Batch(b.Context(), request)
			if err != nil || len(answer.GetResults()) != batchSize || answer.GetResults()[0].GetJwsSign() == nil {
				b.Error(answer, err)
				return
			}
		}
	})
}
