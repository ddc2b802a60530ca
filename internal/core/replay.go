package core

import (
	"crypto/sha256"
	"strconv"
	"sync"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/operation"
)

// maxReplays bounds the memory of the check (32 bytes and a date each).
const maxReplays = 1 << 18

// replays remembers verified messages by caller, FSP and signing input. It is this process's memory alone: several
// replicas each accept a message once.
type replays struct {
	mu    sync.Mutex
	seen  map[[sha256.Size]byte]time.Time // until when
	order [][sha256.Size]byte             // by time of arrival
}

func newReplays() *replays { return &replays{seen: map[[sha256.Size]byte]time.Time{}} }

// refuseReplay turns the verdict on a message seen before into "replayed", if the FSP's policy wants that.
func (c *Core) refuseReplay(t *trip, result *cpm.Result) *cpm.Result {
	p := t.request.Policy
	if p == nil || !p.Replay || result.SigningInput == nil {
		return result
	}
	if c.replays.fresh(replayKey(t.request, result.SigningInput), c.config.Now(), p.ReplayWindow) {
		return result
	}
	return &cpm.Result{Payload: cpm.Payload{Message: operation.Invalid(fspiop.ReasonReplayed)}}
}

func replayKey(r *cpm.Request, signingInput []byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range []string{r.Caller.String(), string(r.FSP), string(signingInput)} {
		h.Write(strconv.AppendInt(nil, int64(len(part)), 10)) // so that no two lists of parts read alike
		h.Write([]byte{':'})
		h.Write([]byte(part))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// fresh remembers k for the window and says whether it was new. When the memory is full the oldest give way.
func (r *replays) fresh(k [sha256.Size]byte, now time.Time, window time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 && (len(r.order) >= maxReplays || !now.Before(r.seen[r.order[0]])) {
		delete(r.seen, r.order[0])
		r.order = r.order[1:]
	}
	if until, ok := r.seen[k]; ok && now.Before(until) {
		return false
	} else if !ok {
		r.order = append(r.order, k)
	}
	r.seen[k] = now.Add(window)
	return true
}

// forget lets a message in again whose verdict nobody was given.
func (r *replays) forget(k [sha256.Size]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.seen[k]; ok {
		r.seen[k] = time.Time{} // over; it keeps its one place in order
	}
}
