package adapter

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// wires are one connection to an adapter: the Control stream, and what comes after the greeting.
type wires struct {
	control controlStream
	work    func() (workStream, error)
	session func() (exporter, error)
	close   func() error
}

// opener connects; what it gives ends with ctx.
type opener func(ctx context.Context) (*wires, error)

// dialer connects by gRPC over TLS, without a proxy: links stay inside.
func dialer(c ClientConfig) opener {
	return func(ctx context.Context) (*wires, error) {
		connection, err := grpc.NewClient("passthrough:///"+c.Address, grpc.WithTransportCredentials(credentials.NewTLS(c.TLS)),
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
