package adapter

import (
	"context"
	"crypto/tls"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// wires are one connection to the other side: the Control stream, and what comes after the greeting.
type wires struct {
	control controlStream
	work    func() (workStream, error)
	session func() (exporter, error)
	close   func() error
}

// opener connects; what it gives ends with ctx.
type opener func(ctx context.Context) (*wires, error)

// dialer connects by gRPC over TLS, without a proxy: links stay inside.
func dialer(address string, t func() (*tls.Config, error)) opener {
	return func(ctx context.Context) (*wires, error) {
		present, err := t()
		if err != nil {
			return nil, err
		}
		connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(present)),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)), grpc.WithDisableRetry(),
			grpc.WithNoProxy(), grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: aliveEvery, Timeout: aliveWait}))
		if err != nil {
			return nil, err
		}
		client := cpmv1.NewLinkServiceClient(connection)
		control, err := client.Control(ctx)
		if err != nil {
			_ = connection.Close()
			return nil, err
		}
		return &wires{
			control: control,
			work:    func() (workStream, error) { return client.Work(ctx) },
			session: func() (exporter, error) { return session(control.Context()) },
			close:   connection.Close,
		}, nil
	}
}
