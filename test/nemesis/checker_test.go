package nemesis

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/cpm"
)

// outcomes counts what became of the requests of one operation.
type outcomes struct{ Success, Failed int }

// counters is what a CPM says it did, or what a journal says it should have done.
type counters struct {
	Operations map[cpm.Operation]outcomes
	// Declines are counted by kind and port, Asked by port.
	Declines map[string]int
	Asked    map[string]int
	// Refused are signatures that did not count, by reason.
	Refused map[string]int
}

func newCounters() counters {
	return counters{
		Operations: map[cpm.Operation]outcomes{}, Declines: map[string]int{}, Asked: map[string]int{}, Refused: map[string]int{},
	}
}

// verdict is the checker's.
type verdict struct {
	accepted, ok, declined, cut int
	kinds                       map[string]int
	// texts are those of the declines.
	texts map[string]int
	// counters is what the CPM's must be.
	counters   counters
	violations []string
}

func (v *verdict) violate(format string, args ...any) {
	v.violations = append(v.violations, fmt.Sprintf(format, args...))
}

// String is one line for a person.
func (v *verdict) String() string {
	text := fmt.Sprintf("%d requests: %d ok, %d declined", v.accepted, v.ok, v.declined)
	for _, k := range slices.Sorted(maps.Keys(v.kinds)) {
		text += fmt.Sprintf(", %d %s", v.kinds[k], k)
	}
	return text + fmt.Sprintf("; %d without an answer; %d violations", v.cut, len(v.violations))
}

// check proves that every request has exactly one answer, that every answer which says ok is cryptographically right for the
// bytes that were sent, and that accepted = ok + declined. mayCut allows requests whose connection broke, as they do when
// the core is killed.
func (j *journal) check(mayCut bool) *verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := &verdict{kinds: map[string]int{}, texts: map[string]int{}, counters: newCounters()}
	for _, id := range slices.Sorted(maps.Keys(j.asked)) {
		v.accepted++
		v.request(id, j.asked[id], j.answers[id])
	}
	for id, all := range j.answers {
		if _, known := j.asked[id]; !known {
			v.violate("request %d was never sent, and was answered %d times", id, len(all))
		}
	}
	if v.cut > 0 && !mayCut {
		v.violate("%d requests have no answer: their connections broke", v.cut)
	}
	if v.ok+v.declined+v.cut != v.accepted {
		v.violate("%d requests were accepted, %d answered ok, %d declined, %d cut off", v.accepted, v.ok, v.declined, v.cut)
	}
	return v
}

func (v *verdict) request(id uint64, s sent, answers []got) {
	if len(answers) != 1 {
		v.violate("request %d (%s) has %d answers", id, s.operation, len(answers))
	}
	if len(answers) == 0 {
		return
	}
	a := answers[0]
	v.counters.Asked[s.port]++
	n := v.counters.Operations[s.operation]
	switch {
	case a.problem != "":
		v.violate("request %d: %s", id, a.problem)
	case a.outcome == good:
		v.ok++
		n.Success++
		if err := s.right(a); err != nil {
			v.violate("request %d (%s) was answered ok, and wrong: %v", id, s.operation, err)
		}
		if a.reason != "" {
			v.counters.Refused[a.reason]++
		}
	case a.outcome == declined:
		v.declined++
		n.Failed++
		v.kinds[a.kind]++
		v.texts[a.text]++
		v.counters.Declines[a.kind+" "+s.port]++
	case a.outcome == cut:
		v.cut++
	}
	v.counters.Operations[s.operation] = n
}

// right judges an answer that says the operation was performed.
func (s sent) right(a got) error {
	if s.operation == cpm.JWSVerify {
		if a.valid != (s.refusal == "") || a.reason != s.refusal {
			return fmt.Errorf("valid is %t with the reason %q, the truth is %q", a.valid, a.reason, s.refusal)
		}
		return nil
	}
	if a.body != s.body {
		return errors.New("another body was signed than the one that was sent")
	}
	var field struct{ Signature, ProtectedHeader string }
	if err := json.Unmarshal([]byte(a.headers["fspiop-signature"]), &field); err != nil {
		return err
	}
	if err := s.fits(field.ProtectedHeader); err != nil {
		return err
	}
	value, err := base64.RawURLEncoding.DecodeString(field.Signature)
	if err != nil {
		return err
	}
	return verifies(s.signer, field.ProtectedHeader+"."+base64.RawURLEncoding.EncodeToString([]byte(s.body)), value)
}

// fits compares the protected header with what was sent.
func (s sent) fits(encoded string) error {
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	var protected map[string]string
	if err := json.Unmarshal(text, &protected); err != nil {
		return err
	}
	want := map[string]string{
		"alg": algorithmOf(s.signer), "FSPIOP-URI": s.uri, "FSPIOP-HTTP-Method": s.method,
		"FSPIOP-Source": s.headers["fspiop-source"], "FSPIOP-Destination": s.headers["fspiop-destination"], "Date": s.headers["date"],
	}
	if diff := cmp.Diff(want, protected); diff != "" {
		return fmt.Errorf("the protected header is not of what was sent (-sent +signed):\n%s", diff)
	}
	return nil
}

func algorithmOf(public crypto.PublicKey) string {
	if _, ok := public.(*rsa.PublicKey); ok {
		return "RS256"
	}
	return "ES256"
}

// verifies uses Go's cryptography alone, nothing of the product.
func verifies(public crypto.PublicKey, input string, value []byte) error {
	sum := sha256.Sum256([]byte(input))
	switch k := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], value)
	case *ecdsa.PublicKey:
		if len(value) == 64 && ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(value[:32]), new(big.Int).SetBytes(value[32:])) {
			return nil
		}
	}
	return errors.New("the signature does not verify over the bytes that were sent")
}

// compare holds what a CPM counted against the journal.
func (v *verdict) compare(source string, theirs counters) {
	if diff := cmp.Diff(v.counters, theirs); diff != "" {
		v.violate("the journal and %s count differently (-journal +%s):\n%s", source, source, diff)
	}
}
