package keys

import (
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// window is a time of the day, on some days of the week.
type window struct {
	days [7]bool
	// from and to are minutes after midnight. A window that does not end after it begins ends on the next day.
	from, to int
}

const minutesOfDay = 24 * 60

// parseWindow reads "08:00-18:00", "Mon-Fri 08:00-18:00" or "Sat,Sun 22:00-06:00": days in English, of three letters, as a list
// of single ones and ranges, and a time of UTC. 24:00 is the end of the day. The days are those on which the time begins.
func parseWindow(text string) (window, error) {
	wrong := fault.New(fault.Invalid, `hours are days and times of UTC, such as "Mon-Fri 08:00-18:00" or "22:00-06:00"`)
	days, times, both := strings.Cut(text, " ")
	w := window{days: [7]bool{true, true, true, true, true, true, true}}
	if !both {
		times = text
	} else if !w.readDays(days) {
		return w, wrong
	}
	from, to, ok := strings.Cut(times, "-")
	if !ok {
		return w, wrong
	}
	var good bool
	if w.from, good = minutes(from); !good || w.from == minutesOfDay {
		return w, wrong
	}
	if w.to, good = minutes(to); !good || w.to == w.from || w.to == 0 {
		return w, wrong
	}
	return w, nil
}

func (w *window) readDays(text string) bool {
	w.days = [7]bool{}
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, ok := weekday(first)
		if !ok {
			return false
		}
		b := a
		if isRange {
			if b, ok = weekday(last); !ok {
				return false
			}
		}
		for d := a; ; d = (d + 1) % 7 {
			w.days[d] = true
			if d == b {
				break
			}
		}
	}
	return true
}

func weekday(text string) (time.Weekday, bool) {
	for d := range time.Saturday + 1 {
		if d.String()[:3] == text {
			return d, true
		}
	}
	return 0, false
}

// minutes reads hh:mm.
func minutes(text string) (int, bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	n := 0
	for _, i := range []int{0, 1, 3, 4} {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	hour, minute := 10*int(text[0]-'0')+int(text[1]-'0'), 10*int(text[3]-'0')+int(text[4]-'0')
	n = 60*hour + minute
	return n, minute < 60 && n <= minutesOfDay
}

// has says whether an instant is within the window.
func (w window) has(at time.Time) bool {
	at = at.UTC()
	day, minute := at.Weekday(), 60*at.Hour()+at.Minute()
	if w.from < w.to {
		return w.days[day] && w.from <= minute && minute < w.to
	}
	return w.days[day] && minute >= w.from || w.days[(day+6)%7] && minute < w.to
}
