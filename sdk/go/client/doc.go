// Package client performs the operations of a CPM for a Go service: every operation of the Mojaloop port over mutual TLS.
//
// A Client keeps a few gRPC streams open and shares them among all goroutines. It connects again by itself, sends again what
// may be sent again, and follows its certificate when the files change. Each call has exactly one answer: a message or an
// *Error.
//
//	c, err := client.New(client.Config{
//		Addresses: []string{"cpm.example:7801"},
//		Files:     client.Files{Cert: "client.pem", Key: "client.key", CA: "ca.pem"},
//	})
//	…
//	defer c.Close(ctx)
//	signed, err := c.JWSSign(ctx, "payerfsp", &cpmv1.JwsSignRequest{…})
//
// A verdict that is negative, such as a signature that does not verify, is an answer and not an error.
package client
