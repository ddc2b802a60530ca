package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/obs"
)

// The flow control windows are fixed: measuring the link costs pings on every connection, and 64 KiB, the default, stops
// callers on other machines. A message larger than the window gets its room when it is read.
const (
	streamWindow     = 256 << 10
	connectionWindow = 2 << 20
	metadataBytes    = 16 << 10
)

// ServeGRPC serves gRPC on l until ctx is done or Drain was called, drains, and returns nil when every accepted request
// has been answered. What ServeJSON says of c holds here too.
func (d *Door) ServeGRPC(ctx context.Context, l net.Listener, c *tls.Config) error {
	n, err := d.listen(ctx, GRPC, l, c, "h2")
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer n.end()
	requests, ended := d.untilCut(ctx)
	defer ended()
	s := d.grpcServer(requests)
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(n) }()
	err = d.drainAfter(ctx, failed)
	d.closeGRPC(ctx, s)
	return err
}

func (d *Door) grpcServer(requests context.Context) *grpc.Server {
	s := grpc.NewServer(
		grpc.Creds(shaken{d, requests}),
		grpc.ForceServerCodecV2(codec{d.buffers}),
		grpc.UnknownServiceHandler(d.unknownMethod),
		grpc.MaxRecvMsgSize(d.limits.Batch),
		grpc.MaxHeaderListSize(metadataBytes),
		grpc.MaxConcurrentStreams(uint32(min(d.limits.CallsPerConnection, 1<<20))), //nolint:gosec // bounded in this line
		grpc.ConnectionTimeout(d.limits.HandshakeTimeout),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.InTapHandle(stoppable(requests)),
		grpc.ReadBufferSize(0), // watched has it
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: d.limits.IdleTimeout, Time: time.Minute, Timeout: 20 * time.Second,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	)
	s.RegisterService(d.service(), d)
	return s
}

// service is the generated description with handlers that see a request before it is decoded.
func (d *Door) service() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: cpmv1.CryptographicService_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Process", Handler: d.unary(d.limits.Message, d.unaryProcess)},
			{MethodName: "Batch", Handler: d.unary(d.limits.Batch, d.unaryBatch)},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Stream", Handler: d.stream, ServerStreams: true, ClientStreams: true},
		},
		Metadata: cpmv1.CryptographicService_ServiceDesc.Metadata,
	}
}

// A drain goes on while callers read their answers: while so many bytes go out in that time. HTTP/2 itself says less. Whoever reads
// shows it in leaps, as HTTP/2 and the system give room for more only when much has been read.
const (
	leastSent = 4 << 10
	quietTime = 5 * time.Second
)

// closeGRPC tells callers to go elsewhere, waits until they have their answers, and closes what is left: the connections when
// answers are not read, and after another second it leaves calls that do not even end when their context does.
func (d *Door) closeGRPC(ctx context.Context, s *grpc.Server) {
	done := make(chan struct{})
	go func() {
		s.GracefulStop()
		d.sessions.Wait()
		close(done)
	}()
	if d.allSent(done) {
		return
	}
	s.Stop()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		d.log.LogAttrs(ctx, slog.LevelError, "calls do not end", obs.Event("port.unanswered"), slog.String("port", string(GRPC)))
	}
}

// allSent waits for answers on their way, at least a second, and then as long as callers read them and the drain may last.
func (d *Door) allSent(done <-chan struct{}) bool {
	var until time.Time
	select {
	case <-d.closing:
		until = d.until
	default: // the port failed
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for before, since := d.sent.Load(), time.Now(); ; {
		select {
		case <-done:
			return true
		case now := <-look.C:
			if sent := d.sent.Load(); sent-before >= leastSent {
				before, since = sent, now
			}
			if now.Sub(since) >= quietTime || now.After(until) {
				return false
			}
		}
	}
}

// shaken are the credentials of connections that the listener has authenticated.
type shaken struct {
	door *Door
	port context.Context // what is logged of a connection belongs to
}

// ServerHandshake names the caller of a connection, once for all its requests.
func (s shaken) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	address := c.RemoteAddr().String()
	t, ok := c.(*tls.Conn)
	if !ok {
		p := cpm.Principal{Kind: cpm.PrincipalLoopback, Name: "dev", Address: address}
		return s.watch(c, &identity{principal: p, pace: paceOf(c)})
	}
	id := &identity{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, pace: paceOf(t)}
	id.principal, id.refused = nameOf(t.ConnectionState().VerifiedChains[0][0], address)
	return s.watch(c, id)
}

// watch has the connection's frames followed.
func (s shaken) watch(c net.Conn, id *identity) (net.Conn, credentials.AuthInfo, error) {
	id.arrivals = s.door.arrivalsAt(admission.CallerOf(id.principal), id.pace)
	id.arrivals.unread = s.door.unreadOf(id.principal, c)
	closing := func() {
		s.door.unread(s.port, "connection", id.principal)
		_ = c.Close()
	}
	return &watched{
		Conn: c, ahead: bufio.NewReaderSize(c, framesAhead), arrivals: id.arrivals, sent: &s.door.sent,
		closing: closing, wrote: make(chan struct{}, 1),
	}, id, nil
}

// ClientHandshake is never called: these are a server's credentials.
func (shaken) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.ErrUnsupported
}

// Info describes the protocol.
func (shaken) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone gives the same, there is nothing in it.
func (s shaken) Clone() credentials.TransportCredentials { return s }

// OverrideServerName is of no use to a server.
func (shaken) OverrideServerName(string) error { return nil }

// identity is what a connection knows of its caller.
type identity struct {
	credentials.CommonAuthInfo
	principal cpm.Principal
	refused   *fault.Error
	pace      *pace
	arrivals  *arrivals
}

// AuthType names the way callers are authenticated.
func (*identity) AuthType() string { return "tls" }

// identityOf finds what the connection of a call knows of its caller.
func identityOf(ctx context.Context) (*identity, *fault.Error) {
	if p, ok := peer.FromContext(ctx); ok {
		if id, ok := p.AuthInfo.(*identity); ok {
			return id, id.refused
		}
	}
	return &identity{pace: &pace{}}, fault.New(fault.Unauthenticated, "a client certificate is needed")
}
