package client

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// Times and sizes of connections.
const (
	// connectTime is how long a connection may take to be there.
	connectTime = 10 * time.Second
	// firstPause and longestPause bound the pause before the next attempt to connect, which doubles.
	firstPause, longestPause = 50 * time.Millisecond, 2 * time.Second
	// closeTime is how long the other end may take to end a stream on which nothing is under way.
	closeTime = time.Second
	// lingerTime is how long a stream that was replaced may take to complete what it has.
	lingerTime = time.Minute
	// flowWindow is how many bytes of answers a stream takes before they are read.
	flowWindow = 4 << 20
	// maxAnswer bounds an answer, maxRequest a request; a CPM takes no longer ones.
	maxAnswer, maxRequest = 64 << 20, 12 << 20
)

// lane keeps one stream to an address.
type lane struct {
	client  *Client
	address string
	current atomic.Pointer[stream]
	// renew asks for a new connection, with the certificate of now.
	renew chan struct{}
}

// run connects, and connects again, until ctx ends. The stream that is replaced completes what it has.
func (l *lane) run(ctx context.Context) {
	defer l.end(ctx)
	failures := 0
	for {
		s := l.connect(ctx, failures)
		if s == nil {
			return
		}
		if old := l.current.Swap(s); old != nil {
			l.client.running.Go(func() { old.end(ctx, lingerTime) })
		}
		l.client.announce()
		select {
		case <-s.done:
			l.current.CompareAndSwap(s, nil)
			l.client.lost(ctx, l.address, s.cause, s.busy)
		case <-l.renew:
		case <-ctx.Done():
			return
		}
		failures++
		if s.spoke.Load() {
			failures = 0
		}
	}
}

// end ends the stream of a lane that has been stopped.
func (l *lane) end(ctx context.Context) {
	if s := l.current.Swap(nil); s != nil {
		s.end(context.WithoutCancel(ctx), closeTime)
	}
}

// connect opens a stream, however often it has to try. It is nil when ctx has ended.
func (l *lane) connect(ctx context.Context, failures int) *stream {
	for ; ; failures++ {
		if failures > 0 && !sleep(ctx, backoff(failures, firstPause, longestPause)) {
			return nil
		}
		s, err := l.open(ctx)
		switch {
		case err == nil:
			return s
		case ctx.Err() != nil:
			return nil
		}
		l.client.lost(ctx, l.address, reason(err), false)
	}
}

// open opens a stream on a new connection.
func (l *lane) open(ctx context.Context) (*stream, error) {
	c := l.client
	conn, err := grpc.NewClient("passthrough:///"+l.address,
		grpc.WithTransportCredentials(c.identity),
		grpc.WithAuthority(l.authority()),
		grpc.WithNoProxy(),
		grpc.WithContextDialer(c.config.Dial),
		grpc.WithInitialWindowSize(flowWindow),
		grpc.WithInitialConnWindowSize(flowWindow),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(c.codec), grpc.MaxCallRecvMsgSize(maxAnswer), grpc.MaxCallSendMsgSize(2*maxRequest)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true}),
	)
	if err != nil {
		return nil, err
	}
	// The stream lives longer than ctx: what is under way when the client is closed is completed.
	living, cancel := context.WithCancel(context.WithoutCancel(ctx))
	patience := time.AfterFunc(connectTime, cancel)
	closing := context.AfterFunc(ctx, cancel)
	opened, err := cpmv1.NewCryptographicServiceClient(conn).Stream(living)
	if !closing() || !patience.Stop() || err != nil {
		cancel()
		_ = conn.Close()
		if err == nil {
			err = context.Cause(living)
		}
		return nil, err
	}
	s := &stream{
		conn: conn, grpc: opened, cancel: cancel,
		queue: make(chan *call, c.config.InFlight), window: make(chan struct{}, c.config.InFlight),
		pending: map[uint64]*call{}, idle: make(chan struct{}), done: make(chan struct{}),
	}
	c.running.Go(s.send)
	c.running.Go(s.receive)
	return s, nil
}

// authority is the name gRPC checks the certificate against.
func (l *lane) authority() string {
	if l.client.identity.server != "" {
		return l.client.identity.server
	}
	host, _, err := net.SplitHostPort(l.address)
	if err != nil {
		return l.address
	}
	return host
}

// end retires the stream and waits until it has ended, but not longer than most, nor than ctx; then it is cut.
func (s *stream) end(ctx context.Context, most time.Duration) {
	s.retire()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-s.done:
		return
	case <-timer.C:
	case <-ctx.Done():
	}
	s.cancel()
	<-s.done
}

// backoff is the pause after so many failures: a random time up to one that doubles (full jitter), so that many clients
// of a CPM that comes back do not all call at once.
func backoff(failures int, first, longest time.Duration) time.Duration {
	most := longest
	if failures < 16 {
		most = min(longest, first<<max(0, failures-1))
	}
	return most/4 + rand.N(most-most/4) //nolint:gosec // it spreads load and guards nothing
}

// sleep waits, or is false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lost remembers and logs why there is no connection to an address. The CPM is there if it was only busy.
func (c *Client) lost(ctx context.Context, address string, cause error, busy bool) {
	c.mu.Lock()
	c.trouble = cause
	c.mu.Unlock()
	text := ""
	if cause != nil {
		text = cause.Error()
	}
	where, why := slog.String("address", address), slog.String("error", text)
	if busy {
		c.config.Logger.LogAttrs(ctx, slog.LevelWarn, "the CPM was busy and ended the connection, connecting again", where, why)
		return
	}
	c.config.Logger.LogAttrs(ctx, slog.LevelWarn, "no connection to the CPM, trying again", where, why)
}
