package nemesis

import (
	"crypto"
	"maps"
	"slices"
	"sync"

	"github.com/mojaloop/cpm/internal/cpm"
)

// sent is a request as it went out.
type sent struct {
	port      string // json or grpc
	operation cpm.Operation
	method    string
	uri       string
	headers   map[string]string
	body      string
	// signer is the public key a signature must verify with.
	signer crypto.PublicKey
	// refusal is the truth about a signature to be verified: "" for a good one, else the reason it does not count.
	refusal string
}

// What a caller may get.
const (
	good     = "ok"       // the operation was performed; also a signature that does not verify is a result
	declined = "declined" // a clear answer that it was not
	cut      = "cut"      // no answer: the connection broke
)

// got is an answer as it came.
type got struct {
	outcome string
	kind    string            // of a decline
	text    string            // of a decline, for people
	headers map[string]string // of a signed message
	body    string            // of a signed message
	valid   bool              // of a verification
	reason  string            // of a verification
	problem string            // why an answer has not the documented shape
}

// journal is everything that was asked and answered, by a number of the request's own.
type journal struct {
	mu      sync.Mutex
	next    uint64
	asked   map[uint64]sent
	answers map[uint64][]got
}

func newJournal() *journal {
	return &journal{asked: map[uint64]sent{}, answers: map[uint64][]got{}}
}

// ask writes a request down before it goes out. It is made for its number.
func (j *journal) ask(compose func(id uint64) sent) (uint64, sent) {
	j.mu.Lock()
	j.next++
	id := j.next
	j.mu.Unlock()
	s := compose(id)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked[id] = s
	return id, s
}

// answer writes an answer down, also one nobody asked for.
func (j *journal) answer(id uint64, g got) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.answers[id] = append(j.answers[id], g)
}

// request is what was asked under a number.
func (j *journal) request(id uint64) sent {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.asked[id]
}

// copied is a journal of its own with the same entries.
func (j *journal) copied() *journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &journal{next: j.next, asked: maps.Clone(j.asked), answers: map[uint64][]got{}}
	for id, all := range j.answers {
		c.answers[id] = slices.Clone(all)
	}
	return c
}
