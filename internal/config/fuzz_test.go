package config

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode holds the decoder against the library's own strict mode: what the decoder takes, strict mode takes with the
// same values, and what is refused is refused in well-formed lines.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"", "# c\n", enough, full, "dataDir: a\ndataDir: b\n", "x: 1\n", "log: {level: *a}\n", "drainTimeout: 5s\n",
		"workers: {heavy: 0x10, light: 1_0}\n", "metrics: {fspLabel: yes}\n", "dataDir: !!binary aGk=\n", "dataDir: !!str 1\n",
		"dataDir: 2026-01-31\n", "<<: {dataDir: a}\n", "? dataDir\n: a\n", "---\n...\n---\n", "workers: {heavy: 1.0}\n",
		"workers: {heavy: !!float 3}\n", "!!map {dataDir: x}\n", "dataDir: &a x\n", "drainTimeout: !!str 3s\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c := Default()
		problems, _ := decode(src, &c)
		for _, p := range problems {
			if line := p.String(); strings.ContainsAny(line, "\n\r\x00\x1b") || p.path == "" || p.wrong == "" || p.write == "" || len(line) > 600 {
				t.Errorf("a malformed line: %q", line)
			}
		}
		if len(problems) > 0 {
			return
		}
		want := Default()
		dec := yaml.NewDecoder(bytes.NewReader(src))
		dec.KnownFields(true)
		if err := dec.Decode(&want); err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("strict mode refuses: %v", err)
		}
		if diff := cmp.Diff(want, c, cmp.Transformer("clear", Secret.Reveal)); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzEnvironment reads any one variable; it must be taken, ignored, or reported in well-formed lines.
func FuzzEnvironment(f *testing.F) {
	f.Add("WORKERS_HEAVY", "3")
	f.Add("DRAIN_TIMEOUT", "1e9s")
	f.Add("METRICS_FSP_LABEL", "T")
	f.Add("X\ny", "z")
	f.Add("SERVICE_HOST", "10.0.0.1")
	f.Fuzz(func(t *testing.T, name, value string) {
		if strings.HasPrefix(name, "DATABASE_DSN_FILE") {
			t.Skip("would open any file")
		}
		_, err := load([]byte(enough), []string{"CPM_" + name + "=" + value})
		if err == nil {
			return
		}
		for _, line := range lines(t, err) {
			if strings.Count(line, ": ") < 2 || strings.ContainsAny(line, "\r\x00\x1b") {
				t.Errorf("a malformed line: %q", line)
			}
		}
	})
}
