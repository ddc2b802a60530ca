package pki

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsDue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		whole, left    time.Duration
		soon, critical bool
	}{
		"90 days, much":            {90 * day, 30 * day, false, false},
		"90 days, less than 30":    {90 * day, 30*day - 1, true, false},
		"90 days, 7":               {90 * day, 7 * day, true, false},
		"90 days, less than 7":     {90 * day, 7*day - 1, true, true},
		"10 years, less than 30":   {3650 * day, 29 * day, true, false},
		"10 years, more than 30":   {3650 * day, 31 * day, false, false},
		"a day, more than a third": {day, 9 * time.Hour, false, false},
		"a day, less":              {day, 7 * time.Hour, true, false},
		"a day, the last":          {day, 2 * time.Hour, true, true},
		"over":                     {90 * day, -day, true, true},
	} {
		l := Life{From: noon().Add(c.left - c.whole), Until: noon().Add(c.left)}
		if soon, critical := l.Due(noon()); soon != c.soon || critical != c.critical {
			t.Errorf("%s: soon %v critical %v", name, soon, critical)
		}
	}
}

func TestReadBundleTakesEveryCertificateAndNothingElse(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	r := issue(t, d, "svc")
	text := append(mustRead(t, d.file(authorityFile)), mustRead(t, d.file(listFile))...)
	text = append(text, mustRead(t, r.Certificate)...)
	file := filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := ReadBundle(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range all {
		names = append(names, LifeOf(RoleAuthority, c).Subject)
	}
	if diff := cmp.Diff([]string{"test authority", "svc"}, names); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{r.Key, d.file(listFile), d.file("none")} {
		if _, err := ReadBundle(wrong); err == nil {
			t.Errorf("%s holds certificates", wrong)
		}
	}
}
