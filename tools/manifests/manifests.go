// Package manifests checks the Kubernetes manifests of deploy/kubernetes against the types of the API, strictly: a member
// that the API does not know is an error. It also holds the rules that every workload of a CPM keeps.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	syaml "sigs.k8s.io/yaml"
)

// kinds make an empty object of each kind that the manifests may use.
func kinds() map[string]func() any {
	return map[string]func() any{
		"apps/v1 Deployment":                 func() any { return new(appsv1.Deployment) },
		"v1 ConfigMap":                       func() any { return new(corev1.ConfigMap) },
		"v1 PersistentVolumeClaim":           func() any { return new(corev1.PersistentVolumeClaim) },
		"v1 Service":                         func() any { return new(corev1.Service) },
		"v1 ServiceAccount":                  func() any { return new(corev1.ServiceAccount) },
		"policy/v1 PodDisruptionBudget":      func() any { return new(policyv1.PodDisruptionBudget) },
		"networking.k8s.io/v1 NetworkPolicy": func() any { return new(networkingv1.NetworkPolicy) },
	}
}

// Check decodes every document of a file and judges its workloads. Its error names every fault; n is how many documents
// there were.
func Check(file []byte) (n int, err error) {
	var problems []error
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(file)))
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return n, errors.Join(problems...)
		}
		if err != nil {
			return n, err
		}
		n++
		problems = append(problems, document(text))
	}
}

func document(text []byte) error {
	var head struct{ APIVersion, Kind string }
	if err := syaml.Unmarshal(text, &head); err != nil {
		return err
	}
	fresh, known := kinds()[head.APIVersion+" "+head.Kind]
	if !known {
		return fmt.Errorf("%s %s is not checked here", head.APIVersion, head.Kind)
	}
	object := fresh()
	if err := syaml.UnmarshalStrict(text, object); err != nil {
		return fmt.Errorf("%s: %w", head.Kind, err)
	}
	if d, ok := object.(*appsv1.Deployment); ok {
		return workload(d)
	}
	return nil
}

// workload holds a Deployment against the rules: no root, nothing writable, no privileges, bounded, probed, and every
// volume that is mounted is there.
func workload(d *appsv1.Deployment) error {
	var problems []error
	fault := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("Deployment %s: "+format, append([]any{d.Name}, args...)...))
	}
	pod := d.Spec.Template.Spec
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		fault("the pod runs as root or without seccomp")
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		fault("the pod has a token of the API server")
	}
	for key, value := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[key] != value {
			fault("the selector does not select the pods")
		}
	}
	var volumes []string
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
	}
	for i, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, p := range container(c, volumes, i >= len(pod.InitContainers)) {
			fault("container %s: %s", c.Name, p)
		}
	}
	return errors.Join(problems...)
}

func container(c corev1.Container, volumes []string, serves bool) (problems []string) {
	s := c.SecurityContext
	if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
		s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") {
		problems = append(problems, "it may write or gain privileges")
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		problems = append(problems, "its resources are not bounded")
	}
	if _, tag, ok := strings.Cut(c.Image, ":"); !ok || tag == "latest" {
		problems = append(problems, "its image has no version")
	}
	if serves && c.ReadinessProbe == nil {
		problems = append(problems, "nobody asks whether it is ready")
	}
	for _, m := range c.VolumeMounts {
		if !slices.Contains(volumes, m.Name) {
			problems = append(problems, "volume "+m.Name+" is not there")
		}
	}
	return problems
}
