package ssm

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/admission"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/operation"
)

// TestUnderOverloadEachRequestGetsOneAnswerInTime: three FSPs ask two workers for five times what they can do, in virtual
// time; one of them for a little only.
func TestUnderOverloadEachRequestGetsOneAnswerInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers(Config{HeavyWorkers: 2})
		answers := map[cpm.FSP]map[fault.Kind]int{"flood": {}, "large": {}, "modest": {}}
		var mu sync.Mutex
		var all sync.WaitGroup
		var longest time.Duration
		ask := func(f cpm.FSP, effort time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			_, err := w.run(ctx, work{flow: admission.Flow{FSP: f}, cost: operation.Heavy, effort: effort}, func() (*cpm.Result, error) {
				time.Sleep(effort)
				return &cpm.Result{}, nil
			})
			mu.Lock()
			defer mu.Unlock()
			took, k := time.Since(began), fault.Kind(255)
			if err != nil {
				k = fault.From(err).Kind
			}
			answers[f][k]++
			if f == "modest" {
				longest = max(longest, took)
			}
			if errors.Is(err, fault.Busy) && took > 0 {
				t.Errorf("a decline took %v", took)
			}
		}
		asked := map[cpm.FSP]int{}
		for i := range 10_000 { // five seconds, two a millisecond
			f, effort := cpm.FSP("flood"), 5*time.Millisecond
			switch {
			case i%100 == 0:
				f = "modest"
			case i%10 == 5:
				f, effort = "large", 40*time.Millisecond
			}
			asked[f]++
			all.Go(func() { ask(f, effort) })
			time.Sleep(500 * time.Microsecond)
		}
		all.Wait()
		w.close()
		const good = fault.Kind(255)
		for f, kinds := range answers {
			n := 0
			for _, k := range kinds {
				n += k
			}
			if n != asked[f] || kinds[good]+kinds[fault.Busy] != n {
				t.Errorf("%s: %v of %d", f, kinds, asked[f])
			}
		}
		if answers["modest"][fault.Busy] != 0 || longest > 150*time.Millisecond {
			t.Errorf("who asks for little: %v, one waited %v", answers["modest"], longest)
		}
		// The workers' ten seconds: half a second for the modest one, and the rest in equal parts.
		flood, large := answers["flood"][good]*5, answers["large"][good]*40
		if flood+large < 9300 || flood < 4400 || large < 4400 {
			t.Errorf("%d ms for the flood, %d for large keys", flood, large)
		}
	})
}

func TestWorkWhoseTimeIsUpIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers(Config{HeavyWorkers: 1, MaxWait: time.Hour})
		heavy := func(f cpm.FSP, effort time.Duration) work {
			return work{flow: admission.Flow{FSP: f}, cost: operation.Heavy, effort: effort}
		}
		begun := 0
		var all sync.WaitGroup
		all.Go(func() {
			_, err := w.run(t.Context(), heavy("a", time.Millisecond), func() (*cpm.Result, error) { // takes longer than it should
				time.Sleep(time.Second)
				return &cpm.Result{}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Millisecond)
		for range 5 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				_, err := w.run(ctx, heavy("b", time.Millisecond), func() (*cpm.Result, error) { begun++; return nil, nil })
				if !errors.Is(err, fault.Timeout) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.close()
		if begun != 0 {
			t.Errorf("%d were begun", begun)
		}
	})
}

func TestEffortComparesKeysAndSizes(t *testing.T) {
	for name, c := range map[string]struct {
		half      cpm.Half
		algorithm string
		bits      int
		size      int
		want      time.Duration
	}{
		"RSA-2048":           {cpm.PrivateHalf, "RS256", 2048, 0, time.Millisecond},
		"RSA-4096":           {cpm.PrivateHalf, "PS256", 4096, 0, 8 * time.Millisecond},
		"unwrapping":         {cpm.PrivateHalf, "RSA-OAEP-256", 2048, 0, time.Millisecond},
		"RSA in public":      {cpm.PublicHalf, "RS256", 4096, 0, 0},
		"a megabyte":         {cpm.PrivateHalf, "ES256", 256, 1e6, 10 * time.Millisecond},
		"an unreadable size": {cpm.PrivateHalf, "RS256", -8, 0, 0},
	} {
		if got := operation.EffortOf(c.half, c.algorithm, c.bits, c.size); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestDecryptingManyFieldsIsSoMuchWork: the sender of a message decides how often its recipient's key is used.
func TestDecryptingManyFieldsIsSoMuchWork(t *testing.T) {
	g := newGeneral(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	g.must(err)
	ref := g.put(1, cpm.UseEncryption, "RSA-OAEP-256", key)
	effort := func(fields int, encoded bool) time.Duration {
		header := `{"encryptedFields":[` + strings.Repeat(`{"fieldName":"a","encryptedKey":"b"}`, fields) + `]}`
		m := &cpmv1.JweDecryptRequest{Headers: map[string]string{"FSPIOP-Encryption": header}}
		r := &cpm.Request{Operation: cpm.JWEDecrypt, Keys: []cpm.KeyRef{ref}, Payload: cpm.Payload{Message: m}}
		if encoded {
			bytes, err := proto.Marshal(m)
			g.must(err)
			r.Payload = cpm.Payload{Encoded: bytes}
		}
		return g.m.work(r).effort
	}
	one := effort(1, false)
	for _, encoded := range []bool{false, true} {
		for fields, want := range map[int]time.Duration{0: 1, 1: 1, 7: 7, 32: 32, 1000: 32} {
			if got := effort(fields, encoded); got != want*one {
				t.Errorf("%d fields, encoded %v: %v, one is %v", fields, encoded, got, one)
			}
		}
	}
}

// TestEveryKeyThatIsTriedIsWork: what was wrapped does not say for which of its recipient's keys.
func TestEveryKeyThatIsTriedIsWork(t *testing.T) {
	g := newGeneral(t)
	put := func(number byte, use cpm.KeyUse, algorithm string, bits int) cpm.KeyRef {
		if bits == 0 {
			return g.put(number, use, algorithm, make([]byte, 32))
		}
		key, err := rsa.GenerateKey(rand.Reader, bits)
		g.must(err)
		return g.put(number, use, algorithm, key)
	}
	two, other, three := put(1, cpm.UseWrap, "RSA-OAEP-256", 2048), put(2, cpm.UseWrap, "RSA-OAEP-256", 2048), put(3, cpm.UseWrap, "RSA-OAEP-256", 3072)
	secret := put(4, cpm.UseWrap, "A256KW", 0)
	field, field3 := put(5, cpm.UseEncryption, "RSA-OAEP-256", 2048), put(6, cpm.UseEncryption, "RSA-OAEP-256", 3072)
	message := func(fields int) proto.Message {
		return &cpmv1.JweDecryptRequest{Headers: map[string]string{"fspiop-encryption": strings.Repeat("encryptedKey", fields)}}
	}
	const third = 3375 * time.Microsecond // 3072 bits
	for name, c := range map[string]struct {
		operation cpm.Operation
		message   proto.Message
		keys      []cpm.KeyRef
		want      time.Duration
	}{
		"one key":                 {cpm.Unwrap, &cpmv1.UnwrapRequest{}, []cpm.KeyRef{two}, time.Millisecond},
		"two keys":                {cpm.Unwrap, &cpmv1.UnwrapRequest{}, []cpm.KeyRef{two, other}, 2 * time.Millisecond},
		"three keys, one larger":  {cpm.Unwrap, &cpmv1.UnwrapRequest{}, []cpm.KeyRef{two, three, other}, 2*time.Millisecond + third},
		"a secret key beside":     {cpm.Unwrap, &cpmv1.UnwrapRequest{}, []cpm.KeyRef{secret, two}, time.Millisecond},
		"only secret keys":        {cpm.Unwrap, &cpmv1.UnwrapRequest{}, []cpm.KeyRef{secret, secret}, 0},
		"fields":                  {cpm.JWEDecrypt, message(5), []cpm.KeyRef{field}, 5 * time.Millisecond},
		"fields and two keys":     {cpm.JWEDecrypt, message(5), []cpm.KeyRef{field, field}, 6 * time.Millisecond},
		"fields and a larger key": {cpm.JWEDecrypt, message(5), []cpm.KeyRef{field, field3}, 5*third + time.Millisecond},
	} {
		r := &cpm.Request{Operation: c.operation, Keys: c.keys, Payload: cpm.Payload{Message: c.message}}
		if got := g.m.work(r).effort; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// blurting are keys whose handling fails in the worst way.
type blurting struct{}

func (blurting) Key(context.Context, cpm.KeyRef) (operation.Key, error) { panic("the clear key") }

func TestAPanicSaysNothingOfWhatWasInReach(t *testing.T) {
	r := &cpm.Request{Operation: cpm.MAC, Keys: []cpm.KeyRef{{}}, Payload: cpm.Payload{Message: &cpmv1.MacRequest{Data: []byte("x")}}}
	_, err := operation.New(blurting{}, time.Now).Do(t.Context(), r)
	if !errors.Is(err, fault.Internal) || strings.Contains(fault.From(err).Error(), "clear key") || !strings.Contains(fault.From(err).Error(), "panic in mac: string") {
		t.Errorf("%v", err)
	}
}
