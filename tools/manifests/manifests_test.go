package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestManifestsAreWhatTheAPITakes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../deploy/kubernetes/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := Check(text)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		if n == 0 {
			t.Errorf("%s is empty", file)
		}
	}
}

func TestFaultsOfManifestsAreFound(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("../../deploy/kubernetes/cpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, with, want string }{
		{"replicas: 2", "replica: 2", "unknown field"},
		{"runAsNonRoot: true", "runAsNonRoot: false", "runs as root"},
		{"automountServiceAccountToken: false", "automountServiceAccountToken: true", "token of the API server"},
		{"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write"},
		{"limits: {memory: 768Mi}", "limits: {}", "not bounded"},
		{"image: cpm:0.1.0", "image: cpm:latest", "no version"},
		{"readinessProbe:", "livenessProbe:", "already"},
		{"- {name: tls, mountPath: /tls, readOnly: true}", "- {name: other, mountPath: /tls}", "volume other is not there"},
		{"kind: PodDisruptionBudget", "kind: Pod", "not checked"},
		{"matchLabels: {app.kubernetes.io/name: cpm}", "matchLabels: {app.kubernetes.io/name: other}", "does not select"},
	} {
		text := strings.Replace(string(good), c.old, c.with, 1)
		if _, err := Check([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.with, err, c.want)
		}
	}
}
