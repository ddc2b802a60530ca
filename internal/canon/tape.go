package canon

import "slices"

// smallTape is as many nodes as there is room for at once. A larger tape grows in
// two steps to its limit, so that a text which is refused early costs little.
const smallTape = 4096

func firstNodes(limit int) int {
	if limit <= smallTape {
		return limit
	}
	return max(smallTape, (limit+15)/16)
}

// add puts a node on the tape and returns its index.
func (p *parser) add(n node) uint32 {
	nodes := p.doc.nodes
	if len(nodes) == cap(nodes) {
		grown := make([]node, len(nodes), max(min(4*len(nodes), p.limit), len(nodes)+1))
		copy(grown, nodes)
		nodes = grown
	}
	p.doc.nodes = append(nodes, n)
	return uint32(len(nodes))
}

// push adds the scalar that was read from start to pos and returns its node.
func (p *parser) push(kind Kind, start int, marks flags) uint32 {
	if marks&sortedForm == 0 {
		p.edit()
	}
	return p.add(node{start: uint32(start), end: uint32(p.pos), kind: kind, flags: marks})
}

// open adds an array or object whose opening bracket is at pos, and reads that.
func (p *parser) open(kind Kind) uint32 {
	p.pos++
	return p.add(node{start: uint32(p.pos - 1), kind: kind})
}

// close completes an array or object that ends at pos and was opened when the
// edits were before.
func (p *parser) close(self uint32, before edits) {
	n := &p.doc.nodes[self]
	n.end = uint32(p.pos)
	if n.flags&shuffled == 0 {
		n.link = uint32(len(p.doc.nodes))
	}
	if p.edits.sorted == before.sorted {
		n.flags |= sortedForm
	}
	if p.edits.legacy == before.legacy {
		n.flags |= legacyForm
	}
}

// list records the order of an object's members where it is not the source's.
func (p *parser) list(self uint32, names *nameOrder) {
	n := &p.doc.nodes[self]
	if !names.ascending {
		n.flags |= shuffled
		n.link = p.sortNames(self)
		p.edits.sorted++
	}
	if !names.listed {
		n.flags |= relisted
	}
	if n.flags&duplicated != 0 {
		p.doc.suspect = true
		n.flags |= relisted
	}
	if n.flags&relisted != 0 {
		p.edits.legacy++
	}
}

// sortNames appends an object's entry to the document's order and returns where.
func (p *parser) sortNames(self uint32) uint32 {
	d := p.doc
	if d.order == nil {
		// Two entries beside the names, and at least two names of five bytes each.
		d.order = make([]uint32, 0, min(2*p.names, len(p.src)*2/5))
	}
	at, after := uint32(len(d.order)), uint32(len(d.nodes))
	d.order = append(d.order, after, 0)
	for name := self + 1; name < after; name = d.after(name + 1) {
		d.order = append(d.order, name)
	}
	members := d.order[at+2:]
	d.sortByName(members)
	kept := d.dropEarlier(members)
	if kept < len(members) {
		d.nodes[self].flags |= duplicated
	}
	d.order[at+1] = uint32(kept)
	d.order = d.order[:int(at)+2+kept]
	return at
}

// sortByName sorts names by their code units, equal ones by their place.
func (d *Document) sortByName(names []uint32) {
	slices.SortFunc(names, func(a, b uint32) int {
		if c := compareUnits(d.name(a), d.name(b)); c != 0 {
			return c
		}
		return int(int64(a) - int64(b))
	})
}

// dropEarlier keeps the last of equal names in a sorted list and returns how many
// are left.
func (d *Document) dropEarlier(names []uint32) int {
	kept := 0
	for i, name := range names {
		if i > 0 && string(d.name(names[i-1])) == string(d.name(name)) {
			kept--
		}
		names[kept] = name
		kept++
	}
	return kept
}

// members returns an object's names in the order of form, without duplicates, or
// false if that is the source's order.
func (d *Document) members(self uint32, form flags) ([]uint32, bool) {
	n := &d.nodes[self]
	switch {
	case form == sortedForm && n.flags&shuffled != 0:
		return d.order[n.link+2:][:d.order[n.link+1]], true
	case form == legacyForm && n.flags&relisted != 0:
		return d.propertyOrder(self), true
	default:
		return nil, false
	}
}

// keep decodes an escaped name, so that names can be compared, and returns it.
func (d *Document) keep(name uint32) []byte {
	n := &d.nodes[name]
	if n.flags&escaped != 0 {
		start := uint32(len(d.text))
		d.text = appendDecoded(d.text, d.inner(n))
		n.link = uint32(len(d.spans))
		d.spans = append(d.spans, span{start: start, end: uint32(len(d.text))})
	}
	return d.name(name)
}

// name returns a member name decoded.
func (d *Document) name(i uint32) []byte {
	n := &d.nodes[i]
	if n.flags&escaped == 0 {
		return d.inner(n)
	}
	s := d.spans[n.link]
	return d.text[s.start:s.end]
}

// inner returns what stands between a string's quotes.
func (d *Document) inner(n *node) []byte { return d.src[n.start+1 : n.end-1] }
