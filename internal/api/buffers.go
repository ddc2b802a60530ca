package api

import (
	"sync"
	"sync/atomic"
)

// Sizes of buffers: the smallest, each class twice as large as the one before, the largest that is kept.
const (
	smallest     = 4 << 10
	smallClasses = 7 // up to 256 KiB
	largeClasses = 3 // up to 2 MiB
)

// buffers keeps memory of requests and answers for the next ones, in classes by size, so that one large request does not
// leave every small one with a large buffer. Of each large class it keeps one, at most 4 MiB in all, whatever the
// garbage collector does: large requests one after the other shall not grow the process.
type buffers struct {
	small [smallClasses]sync.Pool
	large [largeClasses]atomic.Pointer[[]byte]
}

func newBuffers() *buffers { return new(buffers) }

// class gives the index of the smallest class that has n bytes and its size; beyond the last class the size is n.
func class(n int) (index, size int) {
	size = smallest
	for i := range smallClasses + largeClasses {
		if n <= size {
			return i, size
		}
		size *= 2
	}
	return smallClasses + largeClasses, n
}

// get gives an empty slice with room for at least n bytes.
func (b *buffers) get(n int) *[]byte {
	i, size := class(n)
	switch {
	case i < smallClasses:
		if p, ok := b.small[i].Get().(*[]byte); ok {
			return p
		}
	case i < smallClasses+largeClasses:
		if p := b.large[i-smallClasses].Swap(nil); p != nil {
			return p
		}
	}
	p := make([]byte, 0, size)
	return &p
}

// Get gives a slice of n bytes, for gRPC, which gives it back by Put.
func (b *buffers) Get(n int) *[]byte {
	p := b.get(n)
	*p = (*p)[:n]
	return p
}

// Put takes back a slice, which nobody may use any more.
func (b *buffers) Put(p *[]byte) { b.put(p) }

// put takes back a slice, which nobody may use any more. A slice that has grown joins the class it fills.
func (b *buffers) put(p *[]byte) {
	i, size := class(cap(*p))
	if size > cap(*p) {
		i--
	}
	*p = (*p)[:0]
	switch {
	case i < 0:
	case i < smallClasses:
		b.small[i].Put(p)
	case i < smallClasses+largeClasses:
		b.large[i-smallClasses].Store(p)
	}
}
