package events

import (
	"context"
	"crypto/tls"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Secure gives the TLS of a connection, and is asked for each one; a nil Secure is for plaintext on loopback.
type Secure func() (*tls.Config, error)

// Sidecar sends messages to an event sidecar: gRPC, one call for each.
type Sidecar struct {
	address    string
	secure     Secure
	connection *grpc.ClientConn // nil until the next message; used by the one sender only
}

const (
	method    = "/mojaloop.events.EventLoggerService/Log"
	maxAnswer = 4096
)

// NewSidecar makes the transport; it connects with the first message.
func NewSidecar(address string, secure Secure) *Sidecar {
	return &Sidecar{address: address, secure: secure}
}

// Send calls Log for each message. After an error it connects anew, with the files of then.
func (s *Sidecar) Send(ctx context.Context, messages []*Message) (refused int, err error) {
	if err := s.connect(); err != nil {
		return 0, err
	}
	for _, m := range messages {
		taken, err := s.log(ctx, m)
		if err != nil {
			s.Close()
			return 0, err
		}
		if !taken {
			refused++
		}
	}
	return refused, nil
}

func (s *Sidecar) connect() error {
	if s.connection != nil {
		return nil
	}
	security := insecure.NewCredentials()
	if s.secure != nil {
		config, err := s.secure()
		if err != nil {
			return err
		}
		security = credentials.NewTLS(config)
	}
	c, err := grpc.NewClient("passthrough:///"+s.address, grpc.WithTransportCredentials(security), grpc.WithDisableRetry(), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(plain{}), grpc.MaxCallRecvMsgSize(maxAnswer)))
	if err != nil {
		return err
	}
	s.connection = c
	return nil
}

// log sends one message. What the sidecar cannot make sense of would stop all the others, were it sent again.
func (s *Sidecar) log(ctx context.Context, m *Message) (taken bool, err error) {
	question, answer := m.wire(), []byte(nil)
	err = s.connection.Invoke(ctx, method, &question, &answer)
	switch status.Code(err) {
	case codes.OK:
		return accepted(answer)
	case codes.InvalidArgument, codes.OutOfRange, codes.FailedPrecondition:
		return false, nil
	}
	return false, err
}

// Close ends the connection.
func (s *Sidecar) Close() {
	if s.connection != nil {
		_ = s.connection.Close()
		s.connection = nil
	}
}

// plain is the codec of messages that are encoded already.
type plain struct{}

var errPlain = errors.New("not the bytes of a message")

// Marshal gives the bytes.
func (plain) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, errPlain
	}
	return *b, nil
}

// Unmarshal keeps the bytes.
func (plain) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return errPlain
	}
	*b = append([]byte(nil), data...)
	return nil
}

// Name is the protocol on the wire.
func (plain) Name() string { return "proto" }
