package operator

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// bubble is an Active door with one core, without a port, in virtual time. The core knows the token "good".
func bubble(t *testing.T, change func(*Config)) (*Door, *fakeCore, *journal) {
	t.Helper()
	d, log := newDoor(t, change)
	core := &fakeCore{reply: func(a *cpmv1.CommandAsk) (*cpmv1.CommandReply, error) {
		if a.GetCredential().GetToken() != "cpm_a_good" {
			return nil, fault.New(fault.Unauthenticated, refusedText)
		}
		return obeys(a)
	}}
	d.Core("core.example:7802").Bind(core)
	d.Activate(t.Context(), "")
	return d, core, log
}

// try sends a Status with a token from an address.
func try(t *testing.T, d *Door, address, token string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, fromAddress(t, address+":1234", "", token, `{"command":"Status"}`))
	return w
}

func TestFiveRefusedCredentialsLockOutTheAddressAndTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, core, log := bubble(t, nil)
		first := ""
		for i := range 5 {
			w := try(t, d, "192.0.2.1", "cpm_a_bad"+strconv.Itoa(i))
			if w.Code != 401 {
				t.Fatal(w.Code, w.Body)
			}
			if first = w.Header().Get("WWW-Authenticate"); first != "Bearer" {
				t.Error(w.Header())
			}
			time.Sleep(time.Minute)
		}
		// Locked out: right and wrong credentials get the same answer, and none reaches the core.
		before := len(core.asked())
		wrong, right := try(t, d, "192.0.2.1", "cpm_b_bad"), try(t, d, "192.0.2.1", "cpm_a_good")
		if wrong.Code != 429 || right.Code != 429 || wrong.Header().Get("Retry-After") != "840" || right.Header().Get("Retry-After") != "840" {
			t.Error(wrong.Code, right.Code, wrong.Header(), right.Header())
		}
		// The token is locked out from elsewhere too, another one there is not.
		if w := try(t, d, "198.51.100.7", "cpm_a_good"); w.Code != 429 {
			t.Error(w.Code, w.Body)
		}
		if w := try(t, d, "198.51.100.7", "cpm_b_bad"); w.Code != 401 {
			t.Error(w.Code, w.Body)
		}
		if n := len(core.asked()) - before; n != 1 {
			t.Errorf("%d reached the core", n)
		}
		time.Sleep(14*time.Minute - time.Second)
		if w := try(t, d, "192.0.2.1", "cpm_a_good"); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
			t.Error(w.Code, w.Header())
		}
		time.Sleep(time.Second)
		if w := try(t, d, "192.0.2.1", "cpm_a_good"); w.Code != 200 {
			t.Error(w.Code, w.Body)
		}
		events := log.events(t)
		count := func(code string) int {
			return len(slices.DeleteFunc(slices.Clone(events), func(e string) bool { return e != code }))
		}
		// Who is told to wait and goes on is logged once: 6 refusals, and one line each for the address and the token.
		if count("command.locked-out") != 1 || count("command.declined") != 8 {
			t.Errorf("%v", events)
		}
	})
}

func TestRefusalsAreForgottenAfterTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := bubble(t, nil)
		for range 20 {
			if w := try(t, d, "192.0.2.1", "cpm_a_bad"); w.Code != 401 {
				t.Fatal(w.Code, w.Body)
			}
			time.Sleep(4 * time.Minute)
		}
	})
}

func TestAnAcceptedCredentialForgetsItsOwnRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := bubble(t, nil)
		for i := range 20 {
			address := fmt.Sprintf("192.0.2.%d", i)
			if w := try(t, d, address, "cpm_a_bad"); w.Code != 401 {
				t.Fatal(w.Code, w.Body)
			}
			if w := try(t, d, address, "cpm_a_good"); w.Code != 200 {
				t.Fatal(w.Code, w.Body)
			}
			time.Sleep(time.Second)
		}
		// Those of an address stay: a right credential does not buy guesses at others.
		for range 4 {
			try(t, d, "192.0.2.0", "cpm_b_bad")
			try(t, d, "192.0.2.0", "cpm_a_good")
		}
		if w := try(t, d, "192.0.2.0", "cpm_a_good"); w.Code != 429 {
			t.Error(w.Code)
		}
	})
}

func TestRatesHoldForAnAddressAndForACredential(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := bubble(t, func(c *Config) {
			c.Limits.Address, c.Limits.Identity = Rate{PerSecond: 2, Burst: 6}, Rate{PerSecond: 1, Burst: 4}
		})
		codes := func(address string, n int) (ok int) {
			for range n {
				if w := try(t, d, address, "cpm_a_good"); w.Code == 200 {
					ok++
				} else if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
					t.Error(w.Code, w.Header())
				}
			}
			return ok
		}
		if n := codes("192.0.2.1", 5); n != 4 {
			t.Errorf("%d of one credential", n)
		}
		time.Sleep(2 * time.Second) // two more for the credential, the address is full again
		if a, b := codes("192.0.2.1", 1), codes("192.0.2.2", 3); a != 1 || b != 1 {
			t.Error(a, b)
		}
		time.Sleep(time.Hour)
		if n := codes("192.0.2.1", 10); n != 4 {
			t.Errorf("%d after a rest", n)
		}
	})
}

func TestTheTablesAreBoundedAndKeepLockoutsLongest(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	l.Tracked = 50
	g := newGuard(l)
	now := time.Unix(1_800_000_000, 0)
	for range l.Refusals {
		g.refused(now, "locked", "locked")
	}
	for i := range 1000 {
		now = now.Add(time.Millisecond)
		g.address(now, strconv.Itoa(i))
		g.identity(now, strconv.Itoa(i))
	}
	if len(g.addresses) != 50 || len(g.identities) != 50 {
		t.Error(len(g.addresses), len(g.identities))
	}
	if v := g.address(now, "locked"); !v.locked {
		t.Error("an address that was locked out is forgotten")
	}
	// Also when nothing but lockouts is left.
	for i := range 1000 {
		for range l.Refusals {
			g.refused(now, "x"+strconv.Itoa(i), "")
		}
	}
	if len(g.addresses) != 50 {
		t.Error(len(g.addresses))
	}
}

func TestANetworkOfIPv6IsOneAddress(t *testing.T) {
	t.Parallel()
	key := func(s string) string { return addressKey(netip.MustParseAddr(s)) }
	if key("2001:db8::1") != key("2001:db8::2:3") || key("2001:db8::1") == key("2001:db8:0:1::1") || key("192.0.2.1") == key("192.0.2.2") {
		t.Error("addresses are told apart wrongly")
	}
}

func TestGuardHoldsUnderManyCallers(t *testing.T) {
	t.Parallel()
	d, _, _ := bubble(t, nil)
	var (
		group    sync.WaitGroup
		mu       sync.Mutex
		accepted int
	)
	for range 8 {
		group.Go(func() {
			for range 50 {
				if w := try(t, d, "192.0.2.1", "cpm_a_good"); w.Code == 200 {
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	if accepted < 30 || d.Status().Counts["Status"].Success != uint64(accepted) {
		t.Errorf("%d accepted, %+v", accepted, d.Status().Counts["Status"])
	}
}
