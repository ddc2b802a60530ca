package keys

import (
	"strconv"
	"testing"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

// Whoever invents names fills neither memory nor the places of FSPs that are there.
func TestInventedNamesTakeNoPlaceAndNoMemory(t *testing.T) {
	t.Parallel()
	imports := NewImports(time.Now)
	for i := range maxImports + 10 {
		if _, err := imports.Decoy(cpm.FSP("nobody"+strconv.Itoa(i)), "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
	if len(imports.decoys) != maxImports || imports.Len() != 0 {
		t.Errorf("%d decoys, %d import keys", len(imports.decoys), imports.Len())
	}
	if _, err := imports.New("payerfsp", "192.0.2.1"); err != nil {
		t.Error(err)
	}
}
