package bench

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/mojaloop/cpm/internal/fault"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// streamWindow is how many bytes of answers a stream takes before they are read: more than all in flight, so that reading
// and writing never wait for each other.
const streamWindow = 16 << 20

// newGRPCConn prepares one connection, which all calls share: many calls then leave in one write.
func newGRPCConn(c Config) (*grpc.ClientConn, error) {
	security := insecure.NewCredentials()
	if c.TLS != nil {
		security = credentials.NewTLS(cloneTLS(c.TLS))
	}
	codec, err := newWireCodec()
	if err != nil {
		return nil, fault.New(fault.Internal, "gRPC cannot be used").Because(err)
	}
	dialer := c.dialer()
	conn, err := grpc.NewClient("passthrough:///"+c.GRPCAddress,
		grpc.WithTransportCredentials(security),
		grpc.WithNoProxy(),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(streamWindow),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec), grpc.MaxCallRecvMsgSize(maxAnswer), grpc.MaxCallSendMsgSize(maxAnswer)),
	)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the address of the gRPC port cannot be used").Because(err)
	}
	return conn, nil
}

func (s *server) openUnary(_ context.Context, w *workload, callers int) (*session, error) {
	found := &session{close: func() {}}
	for i := range callers {
		found.callers = append(found.callers, &unaryCaller{
			conn: s.grpc, operation: w.operation, turn: newTurn(w.single, i, callers),
		})
	}
	return found, nil
}

// unaryCaller makes unary calls into one answer that is used again.
type unaryCaller struct {
	conn      *grpc.ClientConn
	operation string
	turn      *turn
	answer    cpmv1.ProcessResponse
}

func (c *unaryCaller) call(ctx context.Context) (int, error) {
	request := wire{c.turn.next().proto}
	err := c.conn.Invoke(ctx, cpmv1.CryptographicService_Process_FullMethodName, request, &c.answer, grpc.StaticMethod())
	if err != nil {
		c.answer.Reset()
		return 1, declinedGRPC(err)
	}
	if err := judge(c.operation, &c.answer); err != nil {
		return 1, err
	}
	return 0, nil
}

func (c *unaryCaller) signed() []*cpmv1.ProcessRequest {
	return pick(c.turn.last().items, []*cpmv1.ProcessResponse{&c.answer})
}

func (s *server) openBatch(_ context.Context, w *workload, callers int) (*session, error) {
	found := &session{close: func() {}}
	for i := range callers {
		found.callers = append(found.callers, &batchCaller{
			conn: s.grpc, operation: w.operation, turn: newTurn(w.batches, i, callers),
		})
	}
	return found, nil
}

// batchCaller makes unary calls of many operations.
type batchCaller struct {
	conn      *grpc.ClientConn
	operation string
	turn      *turn
	answer    cpmv1.BatchResponse
}

func (c *batchCaller) call(ctx context.Context) (int, error) {
	next := c.turn.next()
	err := c.conn.Invoke(ctx, cpmv1.CryptographicService_Batch_FullMethodName, wire{next.proto}, &c.answer, grpc.StaticMethod())
	if err != nil {
		c.answer.Reset()
		return len(next.items), declinedGRPC(err)
	}
	return judgeAll(c.operation, len(next.items), c.answer.GetResults())
}

func (c *batchCaller) signed() []*cpmv1.ProcessRequest {
	return pick(c.turn.last().items, c.answer.GetResults())
}

// pick takes the first and the last signature of an answer, as requests to verify them.
func pick(items []*cpmv1.ProcessRequest, answers []*cpmv1.ProcessResponse) []*cpmv1.ProcessRequest {
	var found []*cpmv1.ProcessRequest
	for i, a := range answers {
		if signed := a.GetJwsSign(); signed != nil && len(items) == len(answers) && (i == 0 || i == len(answers)-1) {
			found = append(found, verifyRequest(items[i], signed))
		}
	}
	return found
}
