package adapter

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/tls"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// clientLink is one connection to the adapter, greeted and configured.
type clientLink struct {
	connection *grpc.ClientConn
	control    sender[cpmv1.ControlFrame]
	work       sender[cpmv1.WorkFrame]
	session    *tls.ConnectionState
	version    uint32
	epoch      uint64
	holder     hpke.PublicKey
	credit     chan struct{}
	asked      *waiting[*cpmv1.Answer]
	controlled *waiting[*cpmv1.ControlAnswer]
	end        context.CancelFunc
}

// connect opens the connection and both streams, greets and configures.
func connect(ctx context.Context, c ClientConfig) (*clientLink, error) {
	connection, err := grpc.NewClient("passthrough:///"+c.Address, grpc.WithTransportCredentials(credentials.NewTLS(c.TLS)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)), grpc.WithDisableRetry())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &clientLink{
		connection: connection, end: cancel, asked: newWaiting[*cpmv1.Answer](1), controlled: newWaiting[*cpmv1.ControlAnswer](1),
	}
	if err := l.greet(ctx, c); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// greet opens the streams within greetTimeout, exchanges Hello and sends the configuration.
func (l *clientLink) greet(ctx context.Context, c ClientConfig) error {
	timer := time.AfterFunc(greetTimeout, l.end)
	defer timer.Stop()
	client := cpmv1.NewLinkServiceClient(l.connection)
	control, err := client.Control(ctx)
	if err != nil {
		return err
	}
	l.control.stream = control
	hello := &cpmv1.Hello{VersionMin: VersionMin, VersionMax: VersionMax, Name: c.Name, Epoch: newEpoch()}
	if err := l.control.send(&cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Hello{Hello: hello}}); err != nil {
		return err
	}
	first, err := control.Recv()
	if err != nil {
		return err
	}
	if err := l.greeted(control.Context(), first.GetHello()); err != nil {
		return err
	}
	work, err := client.Work(ctx)
	if err != nil {
		return err
	}
	l.work.stream = work
	return l.configure(ctx, c, control)
}

// greeted takes in what the adapter said of itself.
func (l *clientLink) greeted(ctx context.Context, hello *cpmv1.Hello) (err error) {
	if l.version, err = version(hello, VersionMin, VersionMax); err != nil {
		return err
	}
	if l.session, err = session(ctx); err != nil {
		return err
	}
	public, err := ecdh.X25519().NewPublicKey(hello.GetHpkePublicKey())
	if err != nil {
		return fault.New(fault.Invalid, "the adapter's greeting has no key to seal to").Because(err)
	}
	if l.holder, err = hpke.NewDHKEMPublicKey(public); err != nil {
		return err
	}
	l.epoch, l.credit = hello.GetEpoch(), make(chan struct{}, max(hello.GetCredit(), 1))
	return nil
}

// configure is the first question of a link; nothing else is under way yet.
func (l *clientLink) configure(ctx context.Context, c ClientConfig, control cpmv1.LinkService_ControlClient) error {
	configure := &cpmv1.Configure{Settings: c.Settings}
	for _, o := range c.Operations {
		configure.Operations = append(configure.Operations, string(o))
	}
	id, _, _ := l.controlled.add(1)
	defer l.controlled.remove(id)
	if err := l.control.send(&cpmv1.ControlFrame{Id: id, Kind: &cpmv1.ControlFrame_Configure{Configure: configure}}); err != nil {
		return err
	}
	answer, err := control.Recv()
	if err != nil {
		return err
	}
	if answer.GetId() != id || answer.GetAnswer() == nil {
		return fault.New(fault.Invalid, "the adapter did not answer its configuration")
	}
	return controlFault(answer.GetAnswer())
}

// serve reads both streams until one ends.
func (l *clientLink) serve(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.readControl() })
	group.Go(func() error { return l.readWork() })
	group.Go(func() error {
		<-ctx.Done()
		l.end()
		return nil
	})
	return group.Wait()
}

func (l *clientLink) readControl() error {
	for {
		f, err := l.control.stream.Recv()
		if err != nil {
			return err
		}
		if a := f.GetAnswer(); a != nil {
			l.controlled.answer(f.GetId(), a)
		}
	}
}

func (l *clientLink) readWork() error {
	for {
		f, err := l.work.stream.Recv()
		if err != nil {
			return err
		}
		if a := f.GetAnswer(); a != nil {
			l.asked.answer(f.GetId(), a)
		}
	}
}

func (l *clientLink) close() {
	l.end()
	l.asked.close()
	l.controlled.close()
	_ = l.connection.Close()
}

// do sends one operation and waits for its answer or the end of ctx. Credit bounds how many are on the link.
func (l *clientLink) do(ctx context.Context, r *cpm.Request) (*cpm.Result, error) {
	select {
	case l.credit <- struct{}{}:
	default:
		return nil, fault.New(fault.Busy, "the adapter has as many requests as it takes; try again shortly")
	}
	defer func() { <-l.credit }()
	ask, err := askOf(ctx, r, l.epoch)
	if err != nil {
		return nil, err
	}
	id, answer, ok := l.asked.add(1)
	if !ok {
		return nil, lost()
	}
	defer l.asked.remove(id)
	frame := &cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Ask{Ask: ask}}
	if proto.Size(frame) > maxMessage {
		return nil, fault.New(fault.TooLarge, "the request is too large for the link to the adapter")
	}
	if err := l.work.send(frame); err != nil {
		return nil, lost().Because(errors.Join(cpm.ErrLinkLost, err))
	}
	select {
	case a, open := <-answer:
		if !open {
			return nil, lost()
		}
		return resultOf(a)
	case <-ctx.Done():
		_ = l.work.send(&cpmv1.WorkFrame{Id: id, Kind: &cpmv1.WorkFrame_Cancel{Cancel: &cpmv1.Cancel{}}})
		return nil, fault.New(fault.Timeout, "the adapter did not answer in time").Because(ctx.Err())
	}
}

func lost() *fault.Error {
	return fault.New(fault.Unavailable, "the link to the adapter was lost; try again").Because(cpm.ErrLinkLost)
}

// ask puts one question on the Control stream and waits for its answers, calling more for each until it is done.
func (l *clientLink) ask(ctx context.Context, f *cpmv1.ControlFrame, room int, done func(*cpmv1.ControlAnswer) bool) error {
	id, answers, ok := l.controlled.add(room)
	if !ok {
		return lost()
	}
	defer l.controlled.remove(id)
	f.Id = id
	if err := l.control.send(f); err != nil {
		return lost().Because(errors.Join(cpm.ErrLinkLost, err))
	}
	for {
		select {
		case a, open := <-answers:
			if !open {
				return lost()
			}
			if err := controlFault(a); err != nil || done(a) {
				return err
			}
		case <-ctx.Done():
			return fault.New(fault.Timeout, "the adapter did not answer in time").Because(ctx.Err())
		}
	}
}

func once(*cpmv1.ControlAnswer) bool { return true }

func controlFault(a *cpmv1.ControlAnswer) error {
	if a.GetFault() == "" {
		return nil
	}
	return faultOf(&cpmv1.Answer{Fault: a.GetFault(), Text: a.GetText()})
}

func (l *clientLink) put(ctx context.Context, m cpm.Material) error {
	put := &cpmv1.KeyPut{Key: keyFrame(m.Ref), Algorithm: m.Algorithm, Use: string(m.Use), PublicKey: m.Public}
	if m.Private.Len() > 0 {
		var err error
		if put.Sealed, err = sealKey(l.holder, l.session, m); err != nil {
			return err
		}
	}
	return l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_KeyPut{KeyPut: put}}, 1, once)
}

func (l *clientLink) drop(ctx context.Context, ids []cpm.KeyID) error {
	drop := &cpmv1.KeyDrop{}
	for _, id := range ids {
		drop.Ids = append(drop.Ids, id[:])
	}
	return l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_KeyDrop{KeyDrop: drop}}, 1, once)
}

func (l *clientLink) status(ctx context.Context) (status cpm.Status, err error) {
	err = l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_StatusQuery{StatusQuery: &cpmv1.StatusQuery{}}}, 1,
		func(a *cpmv1.ControlAnswer) bool {
			status = statusOf(a.GetStatus())
			return true
		})
	return status, err
}

// shutdown waits for the second answer: everything accepted is answered.
func (l *clientLink) shutdown(ctx context.Context) error {
	return l.ask(ctx, &cpmv1.ControlFrame{Kind: &cpmv1.ControlFrame_Shutdown{Shutdown: &cpmv1.Shutdown{}}}, 2,
		func(a *cpmv1.ControlAnswer) bool { return a.GetDrained() })
}
