package store_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/spec"
	"github.com/mojaloop/cpm/internal/store"
)

// bootstrap stands for the one YAML file every process starts from. What is needed to reach the database cannot be in it.
const bootstrap = "bootstrap file"

// places says where each field of the specification is: columns, or a name in the table settings, or the bootstrap file.
func places() map[string][]string {
	return map[string][]string{
		"Adapter: Adapter Name":                 {"adapters.name"},
		"Adapter: Adapter Type":                 {"adapters.type"},
		"Adapter: Adapter IP":                   {"endpoints.address"},
		"Adapter: Adapter Port":                 {"endpoints.port"},
		"Adapter: Adapter Specific Information": {"adapters.settings"},
		// Adapters never open the database; the core hands them their configuration.
		"Adapter: Data base connection details":     {bootstrap},
		"HSM: Adapter Name":                         {"hsms.adapter"},
		"HSM: HSM type":                             {"hsms.type"},
		"HSM: Name":                                 {"hsms.name"},
		"HSM: IP":                                   {"hsms.address"},
		"HSM: Port":                                 {"hsms.port"},
		"HSM: Header type":                          {"hsms.header_type"},
		"HSM: Priority":                             {"hsms.priority"},
		"HSM: Health Message interval":              {"hsms.health_interval"},
		"HSM: Message timeout":                      {"hsms.timeout"},
		"HSM: HSM Specific information":             {"hsms.settings"},
		"SSM: Adapter Name":                         {"adapters.name"},
		"SSM: Security Module Specific information": {"adapters.settings"},
		"Routing: FSP name":                         {"routes.space"},
		"Routing: Encryption type":                  {"routes.operation"},
		"Routing: Enabled":                          {"routes.enabled"},
		"Routing: Adapter Name":                     {"routes.adapter"},
		"Command: Adapter Name":                     {"whitelist.adapter"},
		"Command: Whitelist IPs":                    {"whitelist.address"},
		"Command: User ID":                          {"users.name"},
		"Command: User Group":                       {"users.group"},
		"Command: User Groups":                      {"groups.name"},
		"Command: Commands per group":               {"group_commands.group", "group_commands.command"},
		"CPM: Common Name":                          {"settings.name", "settings.value", bootstrap},
		"CPM: Port to Listen on for connections":    {"settings.name", "settings.value", bootstrap},
		"CPM: Data base connection details":         {bootstrap},
		"Key: FSP":                                  {"series.space"},
		"Key: Key Name":                             {"series.name"},
		"Key: Key":                                  {"objects.public", "objects.sealed"},
		"Key: Date created":                         {"series.created_at", "objects.created_at"},
		"Key: Date updated":                         {"series.updated_at", "objects.updated_at"},
		"Key: Created by":                           {"series.created_by", "objects.created_by"},
		"Key: Updated by":                           {"series.updated_by", "objects.updated_by"},
		"Key: Key type":                             {"objects.kind", "objects.algorithm", "objects.bits"},
		"Key: Key Expiry type":                      {"objects.expiry_type"},
		"Key: Key Use":                              {"series.use", "objects.usage"},
		"Key: Key Specific details":                 {"objects.attrs"},
	}
}

func specificationFields(t *testing.T) (fields []string) {
	t.Helper()
	f, err := os.Open("testdata/specification_fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "#") {
			fields = append(fields, lines.Text())
		}
	}
	if len(fields) != 42 {
		t.Fatalf("the list has %d fields", len(fields))
	}
	return fields
}

func TestEveryFieldOfTheSpecificationHasAPlace(t *testing.T) {
	t.Parallel()
	s, _ := openFaulty(t)
	placed := places()
	for _, field := range specificationFields(t) {
		where := placed[field]
		delete(placed, field)
		if len(where) == 0 {
			t.Errorf("%q has no place", field)
		}
		for _, place := range where {
			if place == bootstrap {
				continue
			}
			table, column, _ := strings.Cut(place, ".")
			there, err := s.Columns(t.Context(), table)
			if err != nil || !slices.Contains(there, column) {
				t.Errorf("%q: there is no %s: %v", field, place, err)
			}
		}
	}
	for field := range placed {
		t.Errorf("%q is not in the specification", field)
	}
	var steps []string // one for each field
	for _, s := range spec.Steps() {
		if strings.HasPrefix(s.ID, "DB-") {
			steps = append(steps, s.ID)
		}
	}
	if n := len(specificationFields(t)); len(steps) != n {
		t.Errorf("%d steps, %d fields", len(steps), n)
	}
	spec.Covers(t, steps...)
}

// The columns the program knows are the columns there are; a column it does not know would have no mac.
func TestSchemaIsWhatTheProgramKnows(t *testing.T) {
	t.Parallel()
	s, _ := openFaulty(t)
	known := []string{"changes", "key_uses", "migrations", "replicas", "revision", "store", "sqlite_sequence"}
	for _, table := range store.Schema() {
		known = append(known, table.Name)
		there, err := s.Columns(t.Context(), table.Name)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(there)
		want := append(slices.Clone(table.Columns), "rev", "mac")
		slices.Sort(want)
		if diff := cmp.Diff(want, there); diff != "" {
			t.Errorf("%s: known (-) and there (+) differ:\n%s", table.Name, diff)
		}
	}
	slices.Sort(known)
	there, err := s.TablesThere(t.Context())
	if diff := cmp.Diff(known, there); diff != "" || err != nil {
		t.Errorf("%v: known (-) and there (+) differ:\n%s", err, diff)
	}
}
