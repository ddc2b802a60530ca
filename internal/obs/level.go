package obs

import "log/slog"

// The levels of the log: Mojaloop's nine, as levels of slog in the same order of urgency.
const (
	LevelError   = slog.LevelError
	LevelWarn    = slog.LevelWarn
	LevelAudit   = slog.Level(3) // who did what: administration, start and stop
	LevelTrace   = slog.Level(2)
	LevelInfo    = slog.LevelInfo
	LevelPerf    = slog.Level(-1)
	LevelVerbose = slog.Level(-2)
	LevelDebug   = slog.LevelDebug
	LevelSilly   = slog.Level(-8)
)

type namedLevel struct {
	level slog.Level
	name  string
}

// levels has the most urgent first.
func levels() []namedLevel {
	return []namedLevel{
		{LevelError, "error"},
		{LevelWarn, "warn"},
		{LevelAudit, "audit"},
		{LevelTrace, "trace"},
		{LevelInfo, "info"},
		{LevelPerf, "perf"},
		{LevelVerbose, "verbose"},
		{LevelDebug, "debug"},
		{LevelSilly, "silly"},
	}
}

// ParseLevel finds a level by its name in Mojaloop's logger: error, warn, audit, trace, info, perf, verbose, debug, silly.
func ParseLevel(name string) (slog.Level, bool) {
	for _, l := range levels() {
		if l.name == name {
			return l.level, true
		}
	}
	return LevelInfo, false
}

// LevelName is the name of a level; one between two has the name of the less urgent.
func LevelName(level slog.Level) string {
	for _, l := range levels() {
		if level >= l.level {
			return l.name
		}
	}
	return "silly"
}
