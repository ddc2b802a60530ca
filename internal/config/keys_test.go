package config

import (
	"strings"
	"testing"
)

func TestEveryKeyIsDescribed(t *testing.T) {
	t.Parallel()
	keys := Keys()
	if len(keys) == 0 || len(keys) >= 36 {
		t.Errorf("%d keys, the bootstrap file stays below 36", len(keys))
	}
	// These have no usable default: the operator must write them, or their absence means "not given".
	without := map[string]bool{
		"tls.cert": true, "tls.key": true, "tls.clientCA": true, "tls.crl": true,
		"keys.directory": true, "keys.sink": true,
		"events.sidecar": true, "events.kafka": true, "events.ca": true,
		"riskAcceptance.by": true, "riskAcceptance.date": true, "riskAcceptance.text": true,
	}
	seen := map[string]string{}
	for _, k := range keys {
		if k.Doc == "" || k.Type == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s has doc %q and type %q", k.Path, k.Doc, k.Type)
		}
		if (k.Default == "") != without[k.Path] {
			t.Errorf("%s has default %q", k.Path, k.Default)
		}
		if !strings.HasPrefix(k.Env, "CPM_") || seen[k.Env] != "" {
			t.Errorf("%s has variable %q, also that of %q", k.Path, k.Env, seen[k.Env])
		}
		if strings.HasSuffix(k.Env, "_PORT") || strings.HasSuffix(k.Env, "_SERVICE_HOST") {
			t.Errorf("%s has variable %s, which Kubernetes may set", k.Path, k.Env)
		}
		seen[k.Env] = k.Path
	}
}

func TestVariablesAreSpeltLikeThePath(t *testing.T) {
	t.Parallel()
	bare := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", ".", "").Replace(s)) }
	for _, k := range Keys() {
		if bare(k.Env) != "cpm"+bare(k.Path) {
			t.Errorf("%s has variable %s", k.Path, k.Env)
		}
	}
}

func TestOnlySecretsCanComeFromAFile(t *testing.T) {
	t.Parallel()
	var with []string
	for _, k := range Keys() {
		if k.EnvFile != "" {
			with = append(with, k.Path+" "+k.EnvFile)
		}
	}
	if got := strings.Join(with, ", "); got != "database.dsn CPM_DATABASE_DSN_FILE" {
		t.Errorf("got %s", got)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	want := `limits.requestTimeout
  Longest time any request is worked on, whatever its route's timer says.
  type:     duration
  default:  30s
  variable: CPM_LIMITS_REQUEST_TIMEOUT
`
	for _, name := range []string{"limits.requestTimeout", "CPM_LIMITS_REQUEST_TIMEOUT"} {
		if got, ok := Explain(name); !ok || got != want {
			t.Errorf("%s: got %v\n%s", name, ok, got)
		}
	}
	for _, name := range []string{"", "limit", "limits.", "nothing", "CPM_"} {
		if got, ok := Explain(name); ok || got != "" {
			t.Errorf("%q: got %s", name, got)
		}
	}
}

func TestExplainASectionASecretAndAKeyWithoutDefault(t *testing.T) {
	t.Parallel()
	section, _ := Explain("tls")
	if n := strings.Count(section, "default:  none"); n != 4 || strings.Count(section, "\n\n") != 3 {
		t.Errorf("got %d keys:\n%s", n, section)
	}
	secret, _ := Explain("CPM_DATABASE_DSN_FILE")
	if !strings.Contains(secret, "or:       CPM_DATABASE_DSN_FILE") {
		t.Errorf("got %s", secret)
	}
	long, _ := Explain("dataDir")
	for line := range strings.Lines(long) {
		if len(line) > 97 {
			t.Errorf("line of %d bytes: %s", len(line), line)
		}
	}
}
