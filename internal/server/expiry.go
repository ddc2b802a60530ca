package server

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/pki"
)

const (
	// look is how often the TLS files are looked at while nobody connects.
	look = time.Minute
	// remind is how often what expires soon is said again.
	remind = 24 * time.Hour
)

// urgency is how much something that expires has to be talked of.
type urgency int

const (
	calm urgency = iota
	soon
	critical
	expired
)

func urgencyOf(l pki.Life, now time.Time) urgency {
	isSoon, isCritical := l.Due(now)
	switch {
	case now.After(l.Until):
		return expired
	case isCritical:
		return critical
	case isSoon:
		return soon
	}
	return calm
}

func urgencies(lives []pki.Life, now time.Time) []urgency {
	all := make([]urgency, len(lives))
	for n, l := range lives {
		all[n] = urgencyOf(l, now)
	}
	return all
}

// watch follows the files and warns of what expires soon, until ctx ends: at once, whenever something becomes more urgent
// or other files are read, and daily.
func (i *identity) watch(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var (
		said   []pki.Life
		before []urgency
		spoke  time.Time
	)
	for {
		now, lives := i.now(), i.expiring()
		urgent := urgencies(lives, now)
		if now.Sub(spoke) >= remind || !slices.Equal(before, urgent) || !slices.Equal(said, lives) {
			warn(ctx, log, lives, now)
			said, before, spoke = lives, urgent, now
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// warn writes an event for everything that expires soon.
func warn(ctx context.Context, log *slog.Logger, lives []pki.Life, now time.Time) {
	for _, l := range lives {
		attrs := []slog.Attr{
			slog.String("role", l.Role), obs.Subject(l.Subject), slog.String("serial", l.Serial),
			slog.Time("notAfter", l.Until.UTC()), slog.Int("daysLeft", int(l.Until.Sub(now)/(24*time.Hour))),
		}
		switch urgencyOf(l, now) {
		case expired:
			log.LogAttrs(ctx, slog.LevelError, "a certificate or list has expired", append(attrs, obs.Event("tls.expired"))...)
		case critical:
			log.LogAttrs(ctx, slog.LevelError, "a certificate or list expires within days", append(attrs, obs.Event("tls.expires-soon"))...)
		case soon:
			log.LogAttrs(ctx, slog.LevelWarn, "a certificate or list expires soon", append(attrs, obs.Event("tls.expires-soon"))...)
		case calm:
		}
	}
}

// expiries are the dates as the metrics have them.
func expiries(lives []pki.Life) []obs.Expiry {
	all := make([]obs.Expiry, len(lives))
	for n, l := range lives {
		all[n] = obs.Expiry{Role: l.Role, At: l.Until}
	}
	return all
}
