// Package operation says what each operation does, once, over key handles. The software and the hardware module only
// supply the handles, so that both canonicalise, hash and encode alike and a retry on another device repeats the private
// step alone.
package operation

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Keys turns references into handles. An error for a key that is not held has cpm.ErrKeyNotHeld in its chain.
type Keys interface {
	Key(ctx context.Context, ref cpm.KeyRef) (Key, error)
}

// Key is a handle. With a private half, or of a secret key, it is one of the interfaces of handle.go too.
type Key interface {
	// Algorithm is the name of the algorithm the key is for, as of JOSE where it has one.
	Algorithm() string
	// Use is the only use the key may be put to.
	Use() cpm.KeyUse
	// Public is the public half; nil of a secret key.
	Public() crypto.PublicKey
}

// Engine does operations over the handles of one module.
type Engine struct {
	keys Keys
	rand io.Reader
	now  func() time.Time
	ops  map[cpm.Operation]row
}

// row is one operation: the use its keys must have and what it does.
type row struct {
	use cpm.KeyUse
	do  func(ctx context.Context, e *Engine, r *cpm.Request) (*cpm.Result, error)
}

// New makes an Engine; now is the clock that judges dates in messages.
func New(k Keys, now func() time.Time) *Engine {
	e := &Engine{keys: k, rand: rand.Reader, now: now, ops: map[cpm.Operation]row{}}
	for _, known := range cpm.Operations() {
		if do, ok := table()[known.Operation]; ok {
			e.ops[known.Operation] = row{known.Use, do}
		}
	}
	return e
}

// Operations lists what an Engine can do, in the order of the registry.
func Operations() []cpm.Operation {
	var all []cpm.Operation
	for _, known := range cpm.Operations() {
		if _, ok := table()[known.Operation]; ok {
			all = append(all, known.Operation)
		}
	}
	return all
}

// table has a line per operation.
func table() map[cpm.Operation]func(context.Context, *Engine, *cpm.Request) (*cpm.Result, error) {
	return map[cpm.Operation]func(context.Context, *Engine, *cpm.Request) (*cpm.Result, error){
		cpm.JWSSign:   typed(jwsSign),
		cpm.JWSVerify: typed(jwsVerify),
		cpm.ILPFulfil: typed(ilpFulfil),
		cpm.ILPVerify: typed(ilpVerify),
		cpm.ILPDecode: typed(ilpDecode),

		cpm.JWEEncrypt: typed(jweEncrypt),
		cpm.JWEDecrypt: typed(jweDecrypt),

		cpm.Sign:      typed(sign),
		cpm.Verify:    typed(verify),
		cpm.Encrypt:   typed(encrypt),
		cpm.Decrypt:   typed(decrypt),
		cpm.Rewrap:    typed(rewrap),
		cpm.MAC:       typed(mac),
		cpm.MACVerify: typed(macVerify),
		cpm.Wrap:      typed(wrapMaterial),
		cpm.Unwrap:    typed(unwrapMaterial),
		cpm.Datakey:   typed(datakey),
		cpm.Digest:    typed(digest),
		cpm.Random:    typed(random),
	}
}

// typed makes an untyped line of a function over the operation's own message.
func typed[M any, P interface {
	*M
	proto.Message
}](do func(context.Context, *Engine, *cpm.Request, P) (*cpm.Result, error),
) func(context.Context, *Engine, *cpm.Request) (*cpm.Result, error) {
	return func(ctx context.Context, e *Engine, r *cpm.Request) (*cpm.Result, error) {
		m, err := cpm.Decode(r.Payload, P(new(M)))
		if err != nil {
			return nil, err
		}
		return do(ctx, e, r, m)
	}
}

// Knows says whether the engine can do the operation.
func (e *Engine) Knows(o cpm.Operation) bool {
	_, ok := e.ops[o]
	return ok
}

// Do performs the request's operation in the calling goroutine. A panic below it becomes an Internal error, so that one
// bad message never ends the others.
func (e *Engine) Do(ctx context.Context, r *cpm.Request) (res *cpm.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, fault.From(fmt.Errorf("panic in %s: %s\n%s", r.Operation, said(p), debug.Stack()))
		}
	}()
	op, ok := e.ops[r.Operation]
	if !ok {
		return nil, fault.New(fault.Unsupported, "this adapter does not know the operation")
	}
	return op.do(ctx, e, r)
}

// said is what may be logged of a recovered panic: its text if it is the run time's own, else its type, since a value may hold
// input, and here also clear keys and plaintexts are in reach.
func said(p any) string {
	if e, ok := p.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", p)
}

// handles opens the request's references and checks their use.
func (e *Engine) handles(ctx context.Context, r *cpm.Request) ([]Key, error) {
	keys := make([]Key, len(r.Keys))
	for i, ref := range r.Keys {
		k, err := e.keys.Key(ctx, ref)
		if err != nil {
			return nil, err
		}
		if k.Use() != e.ops[r.Operation].use {
			return nil, fault.New(fault.State, "the key is for another use than this operation")
		}
		keys[i] = k
	}
	return keys, nil
}

// one opens the single key of an operation that takes no other.
func (e *Engine) one(ctx context.Context, r *cpm.Request) (Key, error) {
	if len(r.Keys) != 1 {
		return nil, fault.New(fault.Invalid, "the operation takes one key")
	}
	keys, err := e.handles(ctx, r)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}
