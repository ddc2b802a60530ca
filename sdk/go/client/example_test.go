package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/sdk/go/client"
)

// A service has one client for its whole life.
func Example() {
	c, err := client.New(client.Config{
		Addresses: []string{"cpm.mojaloop:7801"},
		Files:     client.Files{Cert: "/etc/tls/tls.crt", Key: "/etc/tls/tls.key", CA: "/etc/tls/ca.crt"},
		Logger:    slog.Default(),
	})
	if err != nil {
		fmt.Println(err) // the configuration, or a file it names
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	defer func() { _ = c.Close(ctx) }()

	signed, err := c.JWSSign(ctx, "payerfsp", &cpmv1.JwsSignRequest{
		Method:  "POST",
		Uri:     "/quotes",
		Headers: map[string]string{"fspiop-source": "payerfsp", "fspiop-destination": "payeefsp"},
		Content: &cpmv1.JwsSignRequest_Body{Body: `{"quoteId":"7c23e80c-d078-4077-8263-2c047876fcf6"}`},
	})
	switch {
	case errors.Is(err, client.Busy), errors.Is(err, client.Unavailable), errors.Is(err, client.Timeout):
		fmt.Println("try again later:", err)
	case err != nil:
		fmt.Println("it will not work by trying again:", err)
	default:
		fmt.Println("send these headers and exactly this body:", signed.GetHeaders(), signed.GetBody())
	}
}

// A batch has no limit of items; each has its own result.
func ExampleClient_Batch() {
	var c *client.Client // made by client.New
	var requests []*cpmv1.ProcessRequest
	for range 10_000 {
		requests = append(requests, &cpmv1.ProcessRequest{
			Fsp: "payerfsp", Operation: &cpmv1.ProcessRequest_Mac{Mac: &cpmv1.MacRequest{Data: []byte("a row of a log")}},
		})
	}
	for i, r := range c.Batch(context.Background(), requests) {
		if r.Err != nil {
			fmt.Println(i, r.Err)
		}
	}
}
