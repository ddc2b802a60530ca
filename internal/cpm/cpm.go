// Package cpm is the vocabulary of the Cryptographic Processing Module: the values and the few interfaces that core,
// adapters, modules and doors share. It knows the shapes of the operations (gen/cpm/v1) and nothing else of the house.
package cpm

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// FSP is the name of a participant, as in FSPIOP-Source. Names are compared byte by byte.
type FSP string

// maxName bounds names of FSPs, keys and adapters (FSPIOP FspId has at most 32 characters; deployments use longer).
const maxName = 128

// Valid says whether the name can be one: 1 to 128 visible ASCII characters without '/', '"' and '\'.
func (f FSP) Valid() bool { return ValidName(string(f)) }

// ValidName is the rule for every name in the configuration. "*" alone is kept for "any".
func ValidName(s string) bool {
	if s == "" || s == "*" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`/"\`, s[i]) >= 0 {
			return false
		}
	}
	return true
}

// Operation is the "encryption type" of the specification, for example "jws.sign".
type Operation string

// KeyUse is what a key may be used for; a key never serves two uses (NIST SP 800-57 part 1, section 5.2).
type KeyUse string

// The key uses. "sig" and "enc" are the words of RFC 7517, section 4.2.
const (
	UseSignature  KeyUse = "sig"
	UseEncryption KeyUse = "enc"
	// UseUpdate is a key an FSP signs its key updates with.
	UseUpdate KeyUse = "update"
	// UseILP is a secret that fulfilments of transfers are derived from.
	UseILP KeyUse = "ilp"
	// The uses of the general operations. A key of FSPIOP never serves one of them: a signature over bytes of the caller's
	// choice could be that of a message.
	UseDataSignature  KeyUse = "data-sig"
	UseDataEncryption KeyUse = "data-enc"
	UseMAC            KeyUse = "mac"
	UseWrap           KeyUse = "wrap"
)

// KeyUses lists the uses a key can be added with.
func KeyUses() []KeyUse {
	return []KeyUse{UseSignature, UseEncryption, UseUpdate, UseILP, UseDataSignature, UseDataEncryption, UseMAC, UseWrap}
}

// KeyID is the immutable id of one key version.
type KeyID [16]byte

// String is the id in hexadecimal.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// KeyRef names one key version; it stands for the key wherever a request goes.
type KeyRef struct {
	ID      KeyID
	Name    string
	Version uint32
}

// PrincipalKind says how a caller proved who it is.
type PrincipalKind string

// The kinds of principal.
const (
	PrincipalCertificate PrincipalKind = "certificate" // mutual TLS, a name of the certificate
	PrincipalSocket      PrincipalKind = "socket"      // local socket, the user's id
	PrincipalLoopback    PrincipalKind = "loopback"    // plain HTTP of `cpm dev`
	PrincipalSystem      PrincipalKind = "system"      // the CPM itself
	PrincipalUser        PrincipalKind = "user"        // an operator at a Command adapter
	PrincipalFSP         PrincipalKind = "fsp"         // an FSP at a Key Update adapter
)

// Principal is who asks. It is a parameter everywhere, never hidden in a context.
type Principal struct {
	Kind PrincipalKind
	Name string
	// Address is where the request came from, for the log.
	Address string
}

// String is kind and name, as grants and records write it.
func (p Principal) String() string { return string(p.Kind) + ":" + p.Name }

// Payload is an operation's message, decoded or encoded, and is converted at most once: JSON and in-process calls never
// encode, a relay never decodes.
type Payload struct {
	Message proto.Message
	Encoded []byte
}

// Policy is what an FSP's record says of its messages, as far as a module must know it.
type Policy struct {
	// Algorithms is the allow-list of JOSE names.
	Algorithms []string
	// Raw, Sorted and Legacy say which forms of the body verification tries, in this order.
	Raw, Sorted, Legacy bool
	// DateWindow is how far the signed Date may be from now; 0 does not check.
	DateWindow time.Duration
	// Replay refuses a signature seen before within ReplayWindow.
	Replay       bool
	ReplayWindow time.Duration
	// UnprotectedDestination accepts an FSPIOP-Destination header the signature does not cover (Signature v1.1, section 3.2).
	UnprotectedDestination bool
	// Inflate accepts encrypted fields that were compressed ("zip":"DEF"), up to a limit.
	Inflate bool
	// TextbookILP computes fulfilments as the API Definition has it, not as the reference library does.
	TextbookILP bool
}

// Request is one operation for one FSP. Doors fill it in, core resolves Keys and Policy.
type Request struct {
	ID        string
	FSP       FSP
	Operation Operation
	Caller    Principal
	// Trace is the caller's place in a distributed trace.
	Trace TraceParent
	// Arrival is when the door had the request; the route's timer runs from here.
	Arrival time.Time
	// Size is the payload's size in bytes, for the bound on bytes in flight.
	Size int
	// Keys are references, the preferred first: one to protect, at most three to process.
	Keys []KeyRef
	// Unusable says that Keys is empty although the FSP has keys: none may be used now.
	Unusable bool
	Policy   *Policy
	Payload  Payload
}

// Result is the answer of an operation.
type Result struct {
	Payload Payload
	// SigningInput is the SHA-256 of what a verified signature covers, for the replay check; nil for other operations.
	SigningInput []byte
	// Cause is why a signature did not verify, for the log of the process that performed the operation.
	Cause error
}

// State of a module, an adapter or the CPM.
type State string

// The states (specification, "Status" and "Shutdown").
const (
	Starting     State = "Starting"
	Active       State = "Active"
	ShuttingDown State = "ShuttingDown"
	Inactive     State = "Inactive"
	Stopped      State = "Stopped"
)

// Status is what a module says of itself.
type Status struct {
	State State
	// Counts are its own counters: operation → outcome → number.
	Counts map[Operation]Outcomes
}

// Outcomes counts finished operations.
type Outcomes struct{ Success, Failed, Invalid uint64 }

// Module does cryptography. Do answers by the deadline of ctx. Everything that does operations is one: the software
// module, a hardware module, an adapter on the other side of a link.
type Module interface {
	Do(ctx context.Context, r *Request) (*Result, error)
	Status(ctx context.Context) (Status, error)
}

// Prompt is a Module that is trusted to answer by the deadline of its context, so that nobody else needs to watch the
// clock for it.
type Prompt interface {
	Prompt()
}

// Material is one key version on its way to a module.
type Material struct {
	Ref KeyRef
	// Algorithm is the JOSE name of the algorithm the key is for.
	Algorithm string
	Use       KeyUse
	// Private is PKCS #8 DER, or of a secret key, which has no Public, its bytes; empty for a public key.
	Private secret.Bytes
	// Public is SubjectPublicKeyInfo DER; empty for a secret key.
	Public []byte
}

// ErrKeyNotHeld is in the chain of a Module's error when a referenced key was never Put or has been dropped; the caller
// may Put it once and try again.
const ErrKeyNotHeld = notHeld("key not held")

type notHeld string

func (e notHeld) Error() string { return string(e) }

// KeyHolder is a Module that holds key bytes. Put takes over the material. After Drop returned, no new operation uses the
// keys.
type KeyHolder interface {
	Put(ctx context.Context, m Material) error
	Drop(ctx context.Context, ids ...KeyID) error
}

// ErrLinkLost is in the chain of an error when the link broke while the operation was under way: it may have been done or
// not, and the answer will not come.
const ErrLinkLost = linkLost("link lost")

type linkLost string

func (e linkLost) Error() string { return string(e) }

// Linked is a Module across a link.
type Linked interface {
	// Up says whether the link is there now.
	Up() bool
	// Late is how many answers came when nobody waited for them any more; they were dropped.
	Late() uint64
}

// Configurable is a Module that takes a new configuration while it works: the operations it is mandated to do, and the
// settings of its kind, as JSON. It takes effect as a whole or not at all.
type Configurable interface {
	Configure(ctx context.Context, operations []Operation, settings []byte) error
}

// Supervised is a Module in a process that this CPM has started and watches.
type Supervised interface {
	// Restarts is how many times the process had to be started again.
	Restarts() uint64
}

// Shared is a Module that other CPMs may use, too. Release completes what this one has asked of it and gives it back; unlike
// Shutdown it does not end it.
type Shared interface {
	Release(ctx context.Context) error
}

// Controlled is a Module that can be told to end: it completes what it has and declines what comes.
type Controlled interface {
	Shutdown(ctx context.Context) error
}

// Decode gives the payload's message, decoding it into a message of the right kind if it came encoded.
func Decode[M proto.Message](p Payload, fresh M) (M, error) {
	if p.Message != nil {
		m, ok := p.Message.(M)
		if !ok {
			return fresh, fault.New(fault.Invalid, "the message does not belong to the operation")
		}
		return m, nil
	}
	if err := proto.Unmarshal(p.Encoded, fresh); err != nil {
		return fresh, fault.New(fault.Invalid, "the operation's message cannot be decoded").Because(err)
	}
	return fresh, nil
}
