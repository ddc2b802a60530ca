package admission

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestARateLetsABurstInAndThenSoManyASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := NewGate[string](10), Limits{PerSecond: 100, Burst: 20}
		enter := func(name string, tries int) (in int, last *Refusal) {
			for range tries {
				p, no := g.Enter(name, l)
				if last = no; no == nil {
					in++
					p.Leave()
				}
			}
			return in, last
		}
		if in, no := enter("a", 30); in != 20 || no == nil || no.Why != Rate || no.After != 10*time.Millisecond {
			t.Errorf("at once: %d, %+v", in, no)
		}
		if in, _ := enter("b", 1); in != 1 {
			t.Error("the rate of one name was another's")
		}
		for range 100 { // tries at twice the rate
			time.Sleep(5 * time.Millisecond)
			if _, no := enter("a", 1); no != nil && no.After != 5*time.Millisecond {
				t.Fatalf("advice %v, and the next is due in 5 ms", no.After)
			}
		}
		time.Sleep(time.Minute)
		if in, _ := enter("a", 30); in != 20 {
			t.Errorf("after a pause %d entered", in)
		}
	})
}

func TestOverTimeARateIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l, in := NewGate[string](1), Limits{PerSecond: 300, Burst: 1}, 0
		for range 10_000 { // ten seconds at ten times less than the pace of tries
			if p, no := g.Enter("a", l); no == nil {
				in++
				p.Leave()
			}
			time.Sleep(time.Millisecond)
		}
		// 3.33 ms apart, and tried each millisecond: every fourth.
		if in != 2500 {
			t.Errorf("%d in ten seconds", in)
		}
	})
}

func TestWhatBeginsAgainOnAPlaceIsChargedForToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := NewGate[string](1), Limits{PerSecond: 100, Burst: 5}
		p, no := g.Enter("a", l)
		if no != nil {
			t.Fatal(no)
		}
		defer p.Leave()
		for range 4 {
			if no = g.Again(p, l); no != nil {
				t.Fatalf("refused %+v", no)
			}
		}
		for range 2 { // a refusal costs nothing
			if no = g.Again(p, l); no == nil || no.Why != Rate || no.After != 10*time.Millisecond {
				t.Fatalf("refused %+v", no)
			}
		}
		time.Sleep(no.After)
		if no = g.Again(p, l); no != nil {
			t.Errorf("refused after the time it was told: %+v", no)
		}
		if no = g.Again(nil, l); no != nil {
			t.Errorf("who has no place is not limited: %+v", no)
		}
	})
}

func TestHalfOfThePlacesStayForWhatHasNone(t *testing.T) {
	g := NewGate[string](1)
	for concurrent, most := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 9: 4} {
		l, name := Limits{Concurrent: concurrent}, "a"
		first, no := g.Enter(name, l)
		if no != nil {
			t.Fatal(no)
		}
		places := []*Place{first}
		for {
			p, ok := g.Beside(name, l)
			if !ok {
				break
			}
			places = append(places, p)
		}
		if len(places) != most {
			t.Errorf("%d of %d under way", len(places), concurrent)
		}
		for range concurrent - most {
			p, no := g.Enter(name, l)
			if no != nil {
				t.Fatalf("%+v: no place for a request beside %d", no, most)
			}
			places = append(places, p)
		}
		if _, no := g.Enter(name, l); no == nil {
			t.Errorf("more than %d are under way", concurrent)
		}
		for _, p := range places {
			p.Leave()
		}
	}
	if p, ok := g.Beside("a", Limits{}); p != nil || !ok {
		t.Error("without limits there is a place, or none to have")
	}
	if p, ok := g.Beside("a", Limits{PerSecond: 1}); p == nil || !ok {
		t.Error("a rate needs a place")
	}
}

func TestAsManyAsAllowedAreUnderWay(t *testing.T) {
	g, l := NewGate[string](1), Limits{Concurrent: 3}
	var in []*Place
	for range 5 {
		if p, no := g.Enter("a", l); no == nil {
			in = append(in, p)
		} else if no.Why != Many || no.After != untilFree {
			t.Errorf("%+v", no)
		}
	}
	if len(in) != 3 {
		t.Fatalf("%d entered", len(in))
	}
	in[0].Leave()
	if _, no := g.Enter("a", l); no != nil {
		t.Errorf("nobody left: %+v", no)
	}
	if p, no := g.Enter("a", Limits{}); p != nil || no != nil {
		t.Error("without limits there is a place")
	}
	(*Place)(nil).Leave()
}

func TestNoMoreEnterThanAllowedAtTheSameMoment(t *testing.T) {
	g := NewGate[string](1)
	var all sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for range 64 {
		all.Go(func() {
			for range 50 {
				if _, no := g.Enter("a", Limits{Concurrent: 40, PerSecond: 1_000_000}); no == nil {
					mu.Lock()
					in++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if in != 40 {
		t.Errorf("%d are under way", in)
	}
}

func TestAGateTracksABoundedNumberOfNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := NewGate[int](100), Limits{PerSecond: 10, Burst: 1}
		for name := range 100 {
			if _, no := g.Enter(name, l); no != nil {
				t.Fatal(name, no)
			}
		}
		// All that come now share one place, of which the first takes the rate.
		if _, no := g.Enter(100, l); no != nil {
			t.Error(no)
		}
		if _, no := g.Enter(101, l); no == nil {
			t.Error("a name found a place of its own")
		}
		for name := range 100 {
			g.places[name].Leave()
		}
		time.Sleep(2 * time.Second)
		if _, no := g.Enter(101, l); no != nil || len(g.places) != 1 {
			t.Errorf("%+v, %d places after all were idle", no, len(g.places))
		}
	})
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		ok     bool
	}{
		"none":                 {Limits{}, true},
		"all":                  {Limits{PerSecond: 10, Burst: 20, Concurrent: 30}, true},
		"a negative rate":      {Limits{PerSecond: -1}, false},
		"too high a rate":      {Limits{PerSecond: maxPerSecond + 1}, false},
		"a negative number":    {Limits{Concurrent: -1}, false},
		"too large a number":   {Limits{Concurrent: maxCount + 1}, false},
		"a burst without rate": {Limits{Burst: 5}, false},
		"too large a burst":    {Limits{PerSecond: 1, Burst: maxCount + 1}, false},
	} {
		if err := c.limits.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	general := Limits{PerSecond: 100, Burst: 7, Concurrent: 9}
	if got := (Limits{PerSecond: 5}).Or(general); got != (Limits{PerSecond: 5, Concurrent: 9}) {
		t.Errorf("a rate of its own with the burst of another: %+v", got)
	}
	if got := (Limits{Concurrent: 5}).Or(general); got != (Limits{PerSecond: 100, Burst: 7, Concurrent: 5}) {
		t.Errorf("%+v", got)
	}
}

func TestOfARoomNobodyHasAll(t *testing.T) {
	r := NewRoom[string](9)
	fill := func(name string) (n int) {
		for r.Enter(name) {
			n++
		}
		return n
	}
	if a, b, c := fill("a"), fill("b"), fill("c"); a != 5 || b != 2 || c != 1 {
		t.Errorf("%d, %d, %d of nine", a, b, c)
	}
	if r.Enter("a") || !r.Enter("d") || r.Enter("e") || r.Taken() != 9 {
		t.Error("the last place is for one who has none")
	}
	for range 5 {
		r.Leave("a")
	}
	if !r.Enter("e") || !r.EnterAlone("f") || r.Taken() != 6 {
		t.Errorf("%d are taken", r.Taken())
	}
	alone := NewRoom[string](3)
	for i := range 4 {
		if alone.EnterAlone("") != (i < 3) {
			t.Errorf("place %d", i)
		}
	}
}

func TestTheSamplerLetsOneLineThroughInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Sampler
		lines, skipped := 0, uint64(0)
		for range 2000 {
			if n, ok := s.Pass("a"); ok {
				lines++
				skipped += n
			}
			time.Sleep(2 * time.Millisecond)
		}
		if lines != 4 || skipped != 4*499-499 {
			t.Errorf("%d lines, %d skipped", lines, skipped)
		}
		if _, ok := s.Pass("b"); !ok {
			t.Error("another word was held back")
		}
	})
}

func TestOfAnAmountNobodyHasAll(t *testing.T) {
	r := NewRoom[string](100)
	if r.Take("a", 101) || !r.Take("a", 40) || r.Take("a", 40) || !r.Take("a", 10) || r.Take("a", 2) {
		t.Errorf("a alone has %d", r.Taken())
	}
	if !r.Take("b", 50) || r.Taken() != 100 || r.Take("c", 1) || !r.Take("a", 0) {
		t.Error("who has nothing gets what is free")
	}
	r.Give("b", 50)
	if r.Take("a", 10) || !r.TakeFree("a", 10) || r.TakeFree("b", 41) || !r.TakeFree("b", 40) {
		t.Error("what has begun gets what is free, and no more")
	}
	r.Give("a", 60)
	r.Give("b", 40)
	r.Give("b", 0)
	if r.Taken() != 0 || !r.Take("c", 100) {
		t.Errorf("%d are taken", r.Taken())
	}
}

func TestWhatIsKeptForLongLeavesRoomForTheRest(t *testing.T) {
	r := NewRoom[string](100)
	if r.TakeLong("a", 101) || !r.TakeLong("a", 0) || !r.TakeLong("a", 10) || !r.TakeLong("a", 15) || r.TakeLong("a", 1) {
		t.Errorf("of a's half, half is for long, which is %d", r.Taken())
	}
	if !r.Take("a", 60) || r.Take("a", 1) || !r.TakeLong("b", 10) || r.TakeLong("b", 1) {
		t.Error("who has nothing but for long gets what is free, once")
	}
	r.Give("a", 60)
	if !r.Take("a", 10) || r.TakeLong("a", 1) {
		t.Error("what is short makes no more room for what is long")
	}
	r.Shorten("a", 20)
	r.Shorten("a", 0)
	if r.Take("a", 30) || !r.TakeLong("a", 10) || r.TakeLong("a", 10) {
		t.Error("what is short now counts as that")
	}
	r.Shorten("a", 15)
	r.Shorten("b", 10)
	r.Give("a", 45)
	r.Give("b", 10)
	if r.Taken() != 0 || !r.TakeLong("c", 100) {
		t.Errorf("%d are taken", r.Taken())
	}
}

func TestWhatIsDoneTakesOthersNoRoom(t *testing.T) {
	r := NewRoom[string](100)
	if !r.Take("a", 40) {
		t.Fatal("no room")
	}
	r.Settle("a", 30, 20)
	r.Settle("a", 20, 40)
	if r.Taken() != 50 || r.Take("a", 1) {
		t.Errorf("%d are taken, and there is more for a", r.Taken())
	}
	r.Settle("a", 40, 1000)
	if r.Taken() != 50 || r.Take("a", 1) || !r.Take("b", 25) {
		t.Errorf("%d are taken, and others have to leave room", r.Taken())
	}
	r.Give("b", 25)
	r.Settle("b", 0, 60)
	if r.Taken() != 75 {
		t.Errorf("%d are taken, of which b has as much as there was room for", r.Taken())
	}
	r.Give("b", 60)
	r.Give("a", 1000)
	if r.Taken() != 10 || !r.Take("a", 40) {
		t.Errorf("%d are taken after all", r.Taken())
	}
	r.Give("a", 50)
	if r.Taken() != 0 || len(r.taken)+len(r.beyond) != 0 {
		t.Errorf("%d are taken, %v, %v", r.Taken(), r.taken, r.beyond)
	}
}
