package node

import (
	"encoding/json"
	"os"
	"testing"
)

// TestMeasureCPU prints the table of docs/performance.md: CPU of the Node process for each message.
func TestMeasureCPU(t *testing.T) {
	if os.Getenv("CPM_MEASURE") == "" {
		t.Skip("figures depend on the machine; CPM_MEASURE=1 asks for them")
	}
	build(t)
	world, err := json.Marshal(start(t))
	fatal(t, err)
	t.Log("\n" + node(t, nil, []string{"CPM_TEST_WORLD=" + string(world)}, "bench/cpu.js"))
}
