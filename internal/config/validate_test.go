package config

import (
	"strings"
	"testing"
)

func TestDevelopmentNeedsNoTLSAndStaysOnLoopback(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Dev, c.DataDir = true, "cpm-dev"
	c.Listen = Listen{MojaloopHTTP: "127.0.0.1:7800", MojaloopGRPC: "[::1]:7801", Probes: "localhost:0"}
	c.Complete()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Listen.MojaloopHTTP, c.Listen.MojaloopGRPC, c.Listen.Probes = ":7800", "10.0.0.1:7801", "cpm.example:7830"
	got := lines(t, c.Validate())
	if len(got) != 3 || strings.Count(strings.Join(got, "\n"), "not on loopback") != 3 {
		t.Errorf("got %q", got)
	}
	c.Listen = Listen{MojaloopHTTP: "127.0.0.1:7800", Socket: "s"}
	c.TLS.Cert = "half"
	if got := lines(t, c.Validate()); len(got) != 2 {
		t.Errorf("half a TLS configuration: got %q", got)
	}
}

func TestACompletedDefaultLacksOnlyTLS(t *testing.T) {
	t.Parallel()
	c := Default()
	if got := lines(t, c.Validate()); len(got) != 6 {
		t.Errorf("before Complete: got %q", got)
	}
	c.Complete()
	got := lines(t, c.Validate())
	if len(got) != 3 || strings.Count(strings.Join(got, "\n"), "tls.") != 3 {
		t.Errorf("got %q", got)
	}
	c.TLS = TLS{Cert: "c", Key: "k\x1b", ClientCA: "a"}
	if got := lines(t, c.Validate()); len(got) != 1 || !strings.HasPrefix(got[0], "tls.key: holds a control character") {
		t.Errorf("got %q", got)
	}
}

func TestDirectoriesOfKeysAreApartAndPlain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		files KeyFiles
		want  string
	}{
		{KeyFiles{}, ""},
		{KeyFiles{Directory: "in", Sink: "out", DirectoryDeletes: true}, ""},
		{KeyFiles{Directory: "/keys/", Sink: "/keys"}, "keys.sink: the same as keys.directory"},
		{KeyFiles{DirectoryDeletes: true, Sink: "out"}, "keys.directoryDeletes: true without keys.directory"},
		{KeyFiles{Directory: "a\nb"}, "keys.directory: holds a control character"},
		{KeyFiles{Sink: "a\nb"}, "keys.sink: holds a control character"},
	} {
		c := Default()
		c.TLS, c.Keys = TLS{Cert: "c", Key: "k", ClientCA: "a"}, test.files
		c.Complete()
		err := c.Validate()
		switch {
		case test.want == "":
			if err != nil {
				t.Errorf("%+v: %v", test.files, err)
			}
		case err == nil || !strings.Contains(err.Error(), test.want):
			t.Errorf("%+v: %v, want %s", test.files, err, test.want)
		}
	}
}

func TestPortsCollideOnlyWhereTheyMeet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		http, probes string
		collide      bool
	}{
		{":1", "127.0.0.1:1", true},
		{"0.0.0.0:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "[::]:1", true},
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "127.0.0.2:1", false},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{":0", ":0", false},
	} {
		c := Default()
		c.TLS = TLS{Cert: "c", Key: "k", ClientCA: "a"}
		c.Listen = Listen{MojaloopHTTP: test.http, Probes: test.probes}
		c.Complete()
		if err := c.Validate(); (err != nil) != test.collide {
			t.Errorf("%s and %s: got %v", test.http, test.probes, err)
		}
	}
}

func TestTheRiskTextIsBounded(t *testing.T) {
	t.Parallel()
	var v validator
	v.risk(RiskAcceptance{By: long(1001), Date: "2026-01-31", Text: "t"})
	if len(v.found) != 1 || v.found[0].path != "riskAcceptance.by" {
		t.Errorf("got %v", v.found)
	}
}

func TestEventsGoToOnePlaceAndInPlaintextOnlyOnThisMachine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		events Events
		want   string
	}{
		{Events{}, ""},
		{Events{Sidecar: "localhost:50051"}, ""},
		{Events{Sidecar: "sidecar.example:50051", CA: "ca.pem"}, ""},
		{Events{Kafka: "127.0.0.1:9092, [::1]:9093"}, ""},
		{Events{Kafka: "kafka1:9093,kafka2:9093", CA: "ca.pem"}, ""},
		{Events{Sidecar: "sidecar.example:50051"}, "events.sidecar: not on loopback, and without TLS"},
		{Events{Kafka: "127.0.0.1:9092,kafka2:9092"}, "events.kafka: not on loopback, and without TLS"},
		{Events{Sidecar: "localhost"}, "events.sidecar: not an address to connect to"},
		{Events{Sidecar: ":50051"}, "events.sidecar: not an address to connect to"},
		{Events{Kafka: "localhost:0"}, "events.kafka: not an address to connect to"},
		{Events{Kafka: " , "}, "events.kafka: no address"},
		{Events{Sidecar: "localhost:1", Kafka: "localhost:2"}, "events.kafka: given beside events.sidecar"},
		{Events{CA: "ca.pem"}, "events.ca: given without events.sidecar or events.kafka"},
		{Events{Sidecar: "s:1", CA: "a\nb"}, "events.ca: holds a control character"},
	} {
		c := Default()
		c.TLS, c.Events = TLS{Cert: "c", Key: "k", ClientCA: "a"}, test.events
		c.Complete()
		var got string
		if err := c.Validate(); err != nil {
			got = strings.Join(lines(t, err), "\n")
		}
		if (got == "") != (test.want == "") || !strings.HasPrefix(got, test.want) {
			t.Errorf("%+v: got %q, want %q", test.events, got, test.want)
		}
	}
}
