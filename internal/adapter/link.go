// Package adapter is a Module on the other side of a wire: the core dials an adapter and has a Client, the adapter serves
// a Module. One link is two gRPC streams on one TLS 1.3 connection (proto/cpm/v1/link.proto); what a link held — keys,
// configuration, operations in flight — ends with it.
package adapter

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// listsOperations is the version from which on an adapter's Hello lists what it can do.
const listsOperations = 2

// Versions are the link versions one side speaks; the zero value is those of this build.
type Versions struct{ Min, Max uint32 }

func (v Versions) orBuilt() Versions {
	if v == (Versions{}) {
		return Versions{VersionMin, VersionMax}
	}
	return v
}

// common is the highest version both sides speak.
func (v Versions) common(theirs *cpmv1.Hello) (uint32, error) {
	if theirs == nil {
		return 0, fault.New(fault.Invalid, "the other side did not greet")
	}
	highest := min(v.Max, theirs.GetVersionMax())
	if highest < v.Min || highest < theirs.GetVersionMin() || highest == 0 {
		return 0, fault.New(fault.Unsupported, "the other side speaks link versions %d to %d, this one %d to %d: upgrade the older",
			theirs.GetVersionMin(), theirs.GetVersionMax(), v.Min, v.Max)
	}
	return highest, nil
}

// maxMessage bounds one message of a link, in bytes. It is checked before sending, too: a message over it would end the
// link for everybody.
const maxMessage = 16 << 20

// idRoom is what an id adds to a frame at most; ids are given after the size is checked.
const idRoom = 16

func fits(m proto.Message, limit int) bool { return proto.Size(m)+idRoom <= limit }

// greetTimeout bounds connecting, greeting and configuring.
const greetTimeout = 10 * time.Second

// How often a silent link is asked for a sign of life, and how long it may take: a half-open link is gone after their sum.
// Both ends ask.
const (
	aliveEvery = 10 * time.Second
	aliveWait  = 5 * time.Second
)

// stream is one direction pair of gRPC, either end. Both methods end with an error when the stream's context does.
type stream[F any] interface {
	Send(F) error
	Recv() (F, error)
	Context() context.Context
}

type (
	controlStream = stream[*cpmv1.ControlFrame]
	workStream    = stream[*cpmv1.WorkFrame]
)

// newEpoch is a number no other link has.
func newEpoch() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// session is the TLS session a stream runs on.
func session(ctx context.Context) (*tls.ConnectionState, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, fault.New(fault.Internal, "the link has no peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || info.State.Version < tls.VersionTLS13 || len(info.State.PeerCertificates) == 0 {
		return nil, fault.New(fault.Unauthenticated, "the link is not mutual TLS 1.3")
	}
	return &info.State, nil
}
