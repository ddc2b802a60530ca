package keys

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mojaloop/cpm/internal/cpm"
)

// The table of docs/keys.md has every use, its operations and its algorithms in their order.
func TestTheTableOfUsesIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []cpm.KeyUse
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		use := cpm.KeyUse(strings.Trim(cells[1], " `"))
		if !slices.Contains(cpm.KeyUses(), use) {
			continue
		}
		documented = append(documented, use)
		if want := strings.Join(Algorithms(use), " "); strings.TrimSpace(cells[3]) != want {
			t.Errorf("%s: documented %q, there is %q", use, strings.TrimSpace(cells[3]), want)
		}
		for _, row := range cpm.Operations() {
			if strings.Contains(cells[2], "`"+string(row.Operation)+"`") != (row.Use == use) {
				t.Errorf("%s and %s", use, row.Operation)
			}
		}
	}
	if !slices.Equal(documented, []cpm.KeyUse{
		cpm.UseSignature, cpm.UseEncryption, cpm.UseUpdate, cpm.UseILP, cpm.UseDataSignature, cpm.UseDataEncryption, cpm.UseMAC, cpm.UseWrap,
	}) || len(documented) != len(cpm.KeyUses()) {
		t.Errorf("documented: %v", documented)
	}
}
