package keys

import (
	"testing"
	"time"
)

// The first of 2024 was a Monday.
func at(day int, clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", time.Date(2024, 1, day, 0, 0, 0, 0, time.UTC).Format("2006-01-02")+" "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func TestHours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hours   string
		in, out []time.Time
	}{
		{"08:00-18:00", []time.Time{at(1, "08:00"), at(7, "17:59")}, []time.Time{at(1, "07:59"), at(1, "18:00")}},
		{"Mon-Fri 08:00-18:00", []time.Time{at(1, "08:00"), at(5, "17:59")}, []time.Time{at(6, "12:00"), at(7, "12:00")}},
		{"Fri-Mon 00:00-24:00", []time.Time{at(5, "00:00"), at(6, "12:00"), at(8, "23:59")}, []time.Time{at(2, "00:00"), at(4, "23:59")}},
		{"Sat,Wed 22:00-06:00", []time.Time{at(6, "22:00"), at(7, "05:59"), at(3, "23:00"), at(4, "00:00")}, []time.Time{at(6, "05:00"), at(7, "06:00"), at(7, "22:00")}},
		{"Sun 23:00-01:00", []time.Time{at(7, "23:30"), at(8, "00:30")}, []time.Time{at(7, "00:30"), at(8, "23:30")}},
	} {
		w, err := parseWindow(c.hours)
		if err != nil {
			t.Errorf("%s: %v", c.hours, err)
		}
		for _, in := range c.in {
			if !w.has(in) || !w.has(in.In(time.FixedZone("", 5*3600))) {
				t.Errorf("%s is not in %s", in, c.hours)
			}
		}
		for _, out := range c.out {
			if w.has(out) {
				t.Errorf("%s is in %s", out, c.hours)
			}
		}
	}
	for _, wrong := range []string{
		"", " ", "8:00-18:00", "08:00", "08:00-08:00", "24:00-08:00", "08:00-24:01", "08:60-09:00", "22:00-00:00", "Mon", "Mon ", "mon 08:00-18:00",
		"Mon- 08:00-18:00", "Mon, 08:00-18:00", "Mon-Tue-Wed 08:00-18:00", "Mon  08:00-18:00", "08:00-18:00 Mon", "0a:00-18:00", "-1:00-18:00",
	} {
		if _, err := parseWindow(wrong); err == nil {
			t.Errorf("%q is read", wrong)
		}
	}
}

// Every window that is read is open at some minute of the week, and shut at another unless it is the whole week.
func FuzzParseWindow(f *testing.F) {
	for _, s := range []string{"08:00-18:00", "Mon-Fri 08:00-18:00", "Sat,Sun 22:00-06:00", "00:00-24:00", "Mon", "24:00-00:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := parseWindow(text)
		if err != nil {
			return
		}
		open := 0
		for m := range 7 * minutesOfDay {
			if w.has(at(1, "00:00").Add(time.Duration(m) * time.Minute)) {
				open++
			}
		}
		if open == 0 || open == 7*minutesOfDay && w.to-w.from != minutesOfDay {
			t.Errorf("%q is open for %d minutes", text, open)
		}
	})
}
