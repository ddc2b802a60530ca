package api

import "sync"

// smallest is the size of the smallest buffer; each further class is twice as large.
const smallest = 4 << 10

// buffers keeps memory of requests and answers for the next ones, in classes by size, so that one large request does not
// leave every small one with a large buffer. The garbage collector takes what is not used.
type buffers struct{ classes [14]sync.Pool }

func newBuffers() *buffers { return new(buffers) }

// class gives the index of the smallest class that has n bytes and its size; beyond the last class the size is n.
func class(n int) (index, size int) {
	size = smallest
	for i := range len(buffers{}.classes) {
		if n <= size {
			return i, size
		}
		size *= 2
	}
	return -1, n
}

// get gives an empty slice with room for at least n bytes.
func (b *buffers) get(n int) *[]byte {
	i, size := class(n)
	if i >= 0 {
		if p, ok := b.classes[i].Get().(*[]byte); ok {
			return p
		}
	}
	p := make([]byte, 0, size)
	return &p
}

// put takes back a slice, which nobody may use any more. A slice that has grown joins the class it fills.
func (b *buffers) put(p *[]byte) {
	i, size := class(cap(*p))
	if i < 0 || cap(*p) < smallest {
		return
	}
	if size > cap(*p) {
		i--
	}
	*p = (*p)[:0]
	b.classes[i].Put(p)
}
