package fspiop

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// refusals are two messages that differ in why they are refused: an encrypted key that cannot be unwrapped, and a tag that is wrong.
func refusals() (byKey, byTag *Message) {
	change := func(member string) *Message {
		e := must(EncryptFields(rand.Reader, exampleKey().Public(), []byte(`{"f":"15295558888"}`), []string{"f"}, ""))
		var sent struct {
			EncryptedFields []map[string]string `json:"encryptedFields"`
		}
		must(0, json.Unmarshal([]byte(e.Header), &sent))
		octets := must(decodeBase64URL(sent.EncryptedFields[0][member]))
		octets[len(octets)-1] ^= 1
		sent.EncryptedFields[0][member] = base64.RawURLEncoding.EncodeToString(octets)
		return received(jsonOf(sent), string(e.Body))
	}
	return change(elementKey), change(elementTag)
}

// Both refusals take the same way: the key is asked as often, and a tag is what fails, with one key and with three.
func TestBothRefusalsTakeTheSameWay(t *testing.T) {
	t.Parallel()
	byKey, byTag := refusals()
	for _, count := range []int{1, 3} {
		var used [2]int
		var faults [2]*fault.Error
		for i, m := range []*Message{byKey, byTag} {
			k := &once{Decrypter: exampleKey()}
			_, err := DecryptFields(slices.Repeat([]crypto.Decrypter{k}, count), m, nil)
			used[i], faults[i] = k.used, fault.From(err)
		}
		if used != [2]int{count, count} || faults[0].Kind != fault.Refused || faults[0].Error() != faults[1].Error() {
			t.Errorf("%d keys: used %v times, %v and %v", count, used, faults[0], faults[1])
		}
		if !errors.Is(faults[0], errNotOpened) || !errors.Is(faults[1], errNotOpened) {
			t.Errorf("%d keys: causes %v and %v", count, faults[0].Cause(), faults[1].Cause())
		}
	}
}

// TestTimesOfRefusals measures; docs/evidence/jwe-timing.txt keeps the last figures of record. It asserts nothing of time.
func TestTimesOfRefusals(t *testing.T) {
	samples, err := strconv.Atoi(os.Getenv("CPM_TIMING_SAMPLES"))
	if err != nil {
		t.Skip("a measurement: CPM_TIMING_SAMPLES=10000 go test -run TimesOfRefusals -v ./internal/fspiop")
	}
	byKey, byTag := refusals()
	kinds := [2]*Message{byKey, byTag}
	keys := []crypto.Decrypter{exampleKey()}
	var times [2][]float64
	coins := make([]byte, samples)
	must(rand.Read(coins))
	for _, coin := range coins {
		for _, i := range [2]int{int(coin & 1), int(^coin & 1)} { // in pairs, the first by lot
			began := time.Now()
			_, err := DecryptFields(keys, kinds[i], nil)
			times[i] = append(times[i], float64(time.Since(began)))
			if !errors.Is(err, fault.Refused) {
				t.Fatal(err)
			}
		}
	}
	report(t, "all", times)
	for _, kept := range []float64{0.9, 0.5} {
		limit := quantile(slices.Concat(times[0], times[1]), kept)
		var cut [2][]float64
		for i := range times {
			cut[i] = slices.DeleteFunc(slices.Clone(times[i]), func(x float64) bool { return x > limit })
		}
		report(t, fmt.Sprintf("the fastest %.0f %%", 100*kept), cut)
	}
}

func report(t *testing.T, which string, times [2][]float64) {
	t.Helper()
	u, effect := rankSum(times[0], times[1])
	t.Logf("%-20s unwrap n=%d median %.0f mean %.0f ns; tag n=%d median %.0f mean %.0f ns; Welch t = %+.2f; rank sum z = %+.2f, P(unwrap slower) = %.4f",
		which, len(times[0]), quantile(times[0], 0.5), mean(times[0]), len(times[1]), quantile(times[1], 0.5), mean(times[1]),
		welch(times[0], times[1]), u, effect)
}

func quantile(x []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[int(q*float64(len(sorted)-1))]
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

// welch is Welch's t.
func welch(a, b []float64) float64 {
	spread := func(x []float64) (s float64) {
		m := mean(x)
		for _, v := range x {
			s += (v - m) * (v - m) / float64(len(x)-1)
		}
		return s / float64(len(x))
	}
	return (mean(a) - mean(b)) / math.Sqrt(spread(a)+spread(b))
}

// rankSum is the z of Mann and Whitney's test, and the probability that a value of a is larger than one of b.
func rankSum(a, b []float64) (z, larger float64) {
	sorted := slices.Sorted(slices.Values(b))
	var u float64
	for _, v := range a {
		below, _ := slices.BinarySearch(sorted, v)
		upTo, _ := slices.BinarySearch(sorted, math.Nextafter(v, math.Inf(1)))
		u += float64(below+upTo) / 2
	}
	n, m := float64(len(a)), float64(len(b))
	return (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12), u / (n * m)
}
