package client_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/sdk/go/client"
)

// narrow is a CPM that answers random numbers of the FSP "loud" so many times a second and declines what comes in between; it
// answers everything else.
type narrow struct {
	each  time.Duration // between two answers; 0 declines nothing
	every bool          // declines all names
	// declined is how much of what is asked is declined whatever the rate, in percent.
	declined int

	mu              sync.Mutex
	next            time.Time
	answered, asked int // of the loud FSP's random numbers
}

const narrowAdvice = 70 * time.Millisecond

func (n *narrow) answer(s serverStream, r *cpmv1.StreamRequest) error {
	if !n.every && r.GetRequest().GetFsp() != "loud" || r.GetRequest().GetRandom() == nil {
		return empty(s, r)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if now := time.Now(); now.Before(n.next) || n.asked*n.declined/100 > (n.asked-1)*n.declined/100 {
		return s.Send(decline(r.GetId(), fault.New(fault.Busy, "too much").After(narrowAdvice)))
	} else if n.next = n.next.Add(n.each); n.next.Before(now) {
		n.next = now
	}
	n.answered++
	return empty(s, r)
}

// count gives what has come since the last time.
func (n *narrow) count() (asked, answered int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked, answered, n.asked, n.answered = n.asked, n.answered, 0, 0
	return asked, answered
}

func (n *narrow) widen() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.each = 0
	n.next = time.Time{}
}

func (n *narrow) client(t *testing.T, change ...func(*client.Config)) *client.Client {
	l := bufconn.Listen(1 << 20)
	c, _ := converseAt(t, l, n.answer, append(change, func(c *client.Config) {
		c.Addresses, c.Attempts, c.Streams = []string{"cpm.test:7801"}, 1, 4
		c.Dial = func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }
	})...)
	fatal(t, c.Ready(t.Context()))
	return c
}

// calls are made at a rate for a time; it gives how many were declined, and by whom.
func calls(t *testing.T, c *client.Client, r *cpmv1.ProcessRequest, perSecond int, d time.Duration) (there, here int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(uint64(perSecond), uint64(d))) // as calls come that do not know of each other
	for range int(d.Seconds() * float64(perSecond)) {
		all.Go(func() {
			began := time.Now()
			_, err := c.Do(t.Context(), r)
			var e *client.Error
			if !errors.As(err, &e) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if e.Code == "2005" {
				there++
				return
			}
			here++
			if e.Kind != client.Busy || e.RetryAfter != narrowAdvice || time.Since(began) != 0 || !strings.Contains(e.Text, "little more often") {
				t.Errorf("after %v: %#v", time.Since(began), e)
			}
		})
		time.Sleep(time.Duration(chance.Int64N(int64(2 * time.Second / time.Duration(perSecond)))))
	}
	all.Wait()
	return there, here
}

func request(fsp string) *cpmv1.ProcessRequest {
	return &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Random{Random: &cpmv1.RandomRequest{}}}
}

// TestABusyCPMIsAskedLittleMoreThanItAnswers: what it would decline costs it time that is missing elsewhere.
func TestABusyCPMIsAskedLittleMoreThanItAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &narrow{each: 10 * time.Millisecond}
		c := n.client(t)
		digest := &cpmv1.ProcessRequest{Fsp: "loud", Operation: &cpmv1.ProcessRequest_Digest{Digest: &cpmv1.DigestRequest{}}}
		calls(t, c, request("loud"), 500, 2*time.Second) // until there is a limit
		n.count()

		var others sync.WaitGroup
		for _, r := range []*cpmv1.ProcessRequest{request("other"), digest} {
			others.Go(func() {
				if there, here := calls(t, c, r, 400, 10*time.Second); there+here != 0 {
					t.Errorf("%v: %d declined there, %d here", r, there, here)
				}
			})
		}
		there, here := calls(t, c, request("loud"), 500, 10*time.Second)
		others.Wait()
		asked, answered := n.count()
		if answered < 990 || asked > 1150 || there != asked-answered || here != 5000-asked {
			t.Errorf("asked %d, answered %d; declined %d there, %d here", asked, answered, there, here)
		}
	})
}

// TestALimitGoesWithTheOverload: at once for those who ask for no more than what was answered, after two seconds without declines
// for all.
func TestALimitGoesWithTheOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &narrow{each: 10 * time.Millisecond}
		c := n.client(t)
		calls(t, c, request("loud"), 500, 5*time.Second)
		if there, here := calls(t, c, request("loud"), 50, time.Second); there+here > 3 { // the first may be early
			t.Errorf("half of what it can do: declined %d there, %d here", there, here)
		}
		calls(t, c, request("loud"), 500, 5*time.Second)
		n.widen()
		if there, here := calls(t, c, request("loud"), 500, 3*time.Second); there != 0 || here == 0 || here > 1000 {
			t.Errorf("it can do more again: declined %d there, %d here", there, here)
		}
		if there, here := calls(t, c, request("loud"), 50_000, time.Second/10); there+here != 0 {
			t.Errorf("no declines for two seconds, then many at once: declined %d there, %d here", there, here)
		}
	})
}

// TestACPMThatDeclinesEverythingIsStillAsked: or nobody would know when it is over, however long nobody has asked.
func TestACPMThatDeclinesEverythingIsStillAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &narrow{each: time.Hour}
		c := n.client(t)
		calls(t, c, request("loud"), 100, 2*time.Second)
		n.count()
		calls(t, c, request("loud"), 100, 10*time.Second)
		if asked, _ := n.count(); asked < 60 || asked > 100 {
			t.Errorf("asked %d times in ten seconds", asked)
		}
		time.Sleep(3 * time.Second)
		n.widen()
		if there, here := calls(t, c, request("loud"), 1000, time.Second); there+here != 0 {
			t.Errorf("after a lull: declined %d there, %d here", there, here)
		}
	})
}

// TestClientsOfABusyCPMComeToEqualParts: who comes later, or has lost for a while, is not left with nothing.
func TestClientsOfABusyCPMComeToEqualParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &narrow{each: 5 * time.Millisecond}
		early, late := n.client(t), n.client(t)
		var both sync.WaitGroup
		asks := func(c *client.Client, d time.Duration) int {
			there, here := calls(t, c, request("loud"), 500, d)
			return int(500*d.Seconds()) - there - here
		}
		both.Go(func() { asks(early, 40*time.Second) })
		time.Sleep(10*time.Second + 777*time.Microsecond)
		asks(late, 20*time.Second)
		n.count()
		got := asks(late, 10*time.Second)
		both.Wait()
		if _, answered := n.count(); got < answered*35/100 || got > answered*65/100 || answered < 1900 {
			t.Errorf("the later one got %d of %d", got, answered)
		}
	})
}

// TestPartsThatAreAlwaysDeclinedDoNotSlowTheRest: a limit by the rate would end at next to nothing.
func TestPartsThatAreAlwaysDeclinedDoNotSlowTheRest(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{2, 10, 25, 50, 90} {
		synctest.Test(t, func(t *testing.T) {
			n := &narrow{declined: percent}
			c := n.client(t)
			there, here := calls(t, c, request("loud"), 300, 60*time.Second)
			if _, answered := n.count(); answered < 18_000*(100-percent)/100*3/4 {
				t.Errorf("%d %%: %d answered, %d declined there, %d here", percent, answered, there, here)
			}
		})
	}
}

// TestACPMThatDoesLessIsFollowed: what a limit has to be may change.
func TestACPMThatDoesLessIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &narrow{each: 5 * time.Millisecond}
		c := n.client(t)
		calls(t, c, request("loud"), 1000, 10*time.Second)
		n.mu.Lock()
		n.each = 20 * time.Millisecond
		n.mu.Unlock()
		n.count()
		calls(t, c, request("loud"), 1000, 30*time.Second)
		if asked, answered := n.count(); answered < 1450 || asked > 3*answered {
			t.Errorf("asked %d, answered %d", asked, answered)
		}
	})
}

// TestAThrottleCanBeTurnedOff: then all goes to the CPM.
func TestAThrottleCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &narrow{each: 10 * time.Millisecond}
		c := n.client(t, func(c *client.Config) { c.NoThrottle = true })
		_, here := calls(t, c, request("loud"), 500, 4*time.Second)
		if asked, _ := n.count(); asked != 2000 || here != 0 {
			t.Errorf("asked %d of 2000 times, declined %d here", asked, here)
		}
	})
}

// TestALimitForEachOfManyNames: what names an application asks for may be up to strangers, and a client has room for some thousands.
func TestALimitForEachOfManyNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &narrow{each: time.Hour, every: true}
		c := n.client(t)
		for range 3 {
			for i := range 5000 {
				_, _ = c.Do(t.Context(), request(strconv.Itoa(i)))
			}
			time.Sleep(500 * time.Millisecond)
		}
		n.count()
		for i := range 5000 {
			for range 10 {
				_, _ = c.Do(t.Context(), request(strconv.Itoa(i)))
			}
		}
		if asked, _ := n.count(); asked != 4096*4+(5000-4096)*10 { // half a second saves up four
			t.Errorf("asked %d times", asked)
		}
		time.Sleep(3 * time.Second)
		n.count()
		calls(t, c, request("late"), 100, 2*time.Second)
		if asked, _ := n.count(); asked > 120 {
			t.Errorf("a name that is new when others are forgotten has no limit: asked %d times", asked)
		}
	})
}
