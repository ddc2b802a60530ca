package arch

import "testing"

func TestHouse(t *testing.T) {
	t.Parallel()
	files := load(t)
	t.Run("arrows point down or left", func(t *testing.T) { judgeArrows(t, files) })
	t.Run("rooms keep to themselves what is theirs", func(t *testing.T) { judgeFiles(t, files) })
	t.Run("functions and files stay small", func(t *testing.T) { judgeSizes(t, files) })
}

func judgeArrows(t *testing.T, files []source) {
	rooms, arrows := places(house), 0
	for _, r := range byRoom(files) {
		arrows += len(r.imports)
		report(t, checkArrows(rooms, r.name, r.imports))
	}
	t.Logf("%d arrows between packages in %d files", arrows, len(files))
}

func judgeFiles(t *testing.T, files []source) {
	for _, f := range files {
		report(t, checkImports(f))
		report(t, checkCalls(f))
		report(t, checkInit(f))
	}
}

func judgeSizes(t *testing.T, files []source) {
	var all sizes
	for _, f := range files {
		found, s := checkSize(f)
		report(t, found)
		all.functions += s.functions
		all.lines += s.lines
	}
	t.Logf("%d functions, mean %.1f lines", all.functions, all.mean())
}

// report fails the test once for each finding, so that one run shows all that is wrong.
func report(t *testing.T, found []string) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}
