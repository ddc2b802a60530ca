package ssm

import "testing"

// A lookout comes back from each look, whether anything has come or not, and leaves nothing behind.
func TestALookoutComesBack(t *testing.T) {
	t.Parallel()
	l := newLookout()
	if l == nil {
		t.Fatal("no pipe")
	}
	for range 1000 {
		l.look()
	}
	l.close()
	if _, err := l.there.Write([]byte{0}); err == nil {
		t.Error("the pipe is still open")
	}
}

// A pipe that broke keeps nobody waiting.
func TestALookoutComesBackFromABrokenPipe(t *testing.T) {
	t.Parallel()
	l := newLookout()
	if l == nil {
		t.Fatal("no pipe")
	}
	_ = l.there.Close()
	for range 3 {
		l.look()
	}
	l.close()
}

func TestWithoutPipesThereIsNoLookout(t *testing.T) {
	t.Parallel()
	var l *lookout
	l.look()
	l.close()
}
