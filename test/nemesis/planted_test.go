package nemesis

import (
	"maps"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/cpm"
)

// small is a journal as a CPM without fault would leave it: one request of every sort, answered rightly, and its counters.
func small(t *testing.T) (*journal, counters) {
	t.Helper()
	j, p := newJournal(), newParties(t)
	for kind := range sorts {
		for range 2 {
			id, s := j.ask(func(id uint64) sent { return p.compose(t, id, kind, "json") })
			if s.operation == cpm.JWSVerify {
				j.answer(id, got{outcome: good, valid: s.refusal == "", reason: s.refusal})
				continue
			}
			j.answer(id, p.signed(t, s))
		}
	}
	id, _ := j.ask(func(id uint64) sent { return p.compose(t, id, 0, "grpc") })
	j.answer(id, got{outcome: declined, kind: "unavailable"})
	return j, j.check(false).counters
}

// signed is the answer to a request to sign, made with the key itself.
func (p *parties) signed(t *testing.T, s sent) got {
	t.Helper()
	headers := maps.Clone(s.headers)
	p.of(s.headers["fspiop-source"]).sign(t, s.method, s.uri, s.body, headers)
	return got{outcome: good, headers: headers, body: s.body}
}

// The checker finds each of these, and nothing when there is nothing. The requests 1 to 4 are signatures, 5 and 6 good ones to
// verify, 7 and 8 altered ones, 9 is declined.
func TestTheCheckerFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	alter := func(id uint64, change func(*got)) func(*journal, *counters) {
		return func(j *journal, _ *counters) { change(&j.answers[id][0]) }
	}
	base, counted := small(t)
	for name, c := range map[string]struct {
		plant func(*journal, *counters)
		want  string
	}{
		"nothing":                     {func(*journal, *counters) {}, ""},
		"no answer":                   {func(j *journal, _ *counters) { delete(j.answers, 3) }, "has 0 answers"},
		"two answers":                 {func(j *journal, _ *counters) { j.answer(3, j.answers[3][0]) }, "has 2 answers"},
		"an answer nobody asked for":  {func(j *journal, _ *counters) { j.answer(999, got{outcome: declined}) }, "was never sent"},
		"a broken connection":         {alter(3, func(g *got) { *g = got{outcome: cut} }), "their connections broke"},
		"an answer without shape":     {alter(3, func(g *got) { g.problem = "no JSON" }), "no JSON"},
		"another's signature":         {func(j *journal, _ *counters) { j.answers[1], j.answers[2] = j.answers[2], j.answers[1] }, "answered ok, and wrong"},
		"another's body":              {alter(1, func(g *got) { g.body += " " }), "another body"},
		"a forged signature":          {alter(1, forge), "answered ok, and wrong"},
		"no signature":                {alter(1, func(g *got) { g.headers = nil }), "answered ok, and wrong"},
		"another key":                 {func(j *journal, _ *counters) { exchange(j, 1, 3) }, "answered ok, and wrong"},
		"a good one refused":          {alter(5, func(g *got) { g.valid, g.reason = false, "signature-mismatch" }), "the truth is"},
		"an altered one accepted":     {alter(7, func(g *got) { g.valid, g.reason = true, "" }), "the truth is"},
		"another reason":              {alter(7, func(g *got) { g.reason = "key-unknown" }), "the truth is"},
		"an ok that is a decline":     {alter(9, func(g *got) { *g = got{outcome: good} }), "answered ok, and wrong"},
		"a success not counted":       {func(_ *journal, c *counters) { c.Operations[cpm.JWSSign] = outcomes{} }, "count differently"},
		"a decline counted twice":     {func(_ *journal, c *counters) { c.Declines["unavailable grpc"]++ }, "count differently"},
		"a request counted elsewhere": {func(_ *journal, c *counters) { c.Asked["json"]--; c.Asked["grpc"]++ }, "count differently"},
		"a refusal not counted":       {func(_ *journal, c *counters) { delete(c.Refused, "signature-mismatch") }, "count differently"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, theirs := base.copied(), counters{
				Operations: maps.Clone(counted.Operations), Declines: maps.Clone(counted.Declines),
				Asked: maps.Clone(counted.Asked), Refused: maps.Clone(counted.Refused),
			}
			c.plant(j, &theirs)
			v := j.check(false)
			v.compare("the planted", theirs)
			found := strings.Join(v.violations, "\n")
			if (c.want == "") != (found == "") || !strings.Contains(found, c.want) {
				t.Errorf("found %q", found)
			}
		})
	}
	if v := base.copied().check(true); len(v.violations) != 0 || v.accepted != 9 || v.ok != 8 || v.declined != 1 {
		t.Errorf("%s: %v", v, v.violations)
	}
}

// forge changes the last byte of the signature's text.
func forge(g *got) {
	g.headers = maps.Clone(g.headers)
	g.headers["fspiop-signature"] = strings.Replace(g.headers["fspiop-signature"], `"signature":"`, `"signature":"AAAA`, 1)
}

// exchange lets the answer of one FSP's request be signed by the other's key.
func exchange(j *journal, a, b uint64) {
	one, other := j.asked[a], j.asked[b]
	one.signer, other.signer = other.signer, one.signer
	j.asked[a], j.asked[b] = one, other
}
