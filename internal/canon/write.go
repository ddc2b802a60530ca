package canon

// appendValue appends the value at i in the form that is sortedForm or
// legacyForm. It nests as deep as the value does, at most MaxDepth.
func (d *Document) appendValue(dst []byte, i uint32, form flags) []byte {
	n := &d.nodes[i]
	switch {
	case n.flags&form != 0:
		return append(dst, d.raw(n)...)
	case n.kind == Object:
		return d.appendObject(dst, i, form)
	case n.kind == Array:
		return d.appendArray(dst, i, form)
	case n.kind == String:
		dst = appendRespelled(append(dst, '"'), d.inner(n))
		return append(dst, '"')
	default:
		return appendNumber(dst, d.raw(n))
	}
}

func (d *Document) appendArray(dst []byte, self uint32, form flags) []byte {
	dst = append(dst, '[')
	for i, after := self+1, d.after(self); i < after; i = d.after(i) {
		if i > self+1 {
			dst = append(dst, ',')
		}
		dst = d.appendValue(dst, i, form)
	}
	return append(dst, ']')
}

func (d *Document) appendObject(dst []byte, self uint32, form flags) []byte {
	dst = append(dst, '{')
	if names, reordered := d.members(self, form); reordered {
		for i, name := range names {
			dst = d.appendMember(dst, name, i == 0, form)
		}
		return append(dst, '}')
	}
	for name, after := self+1, d.after(self); name < after; name = d.after(name + 1) {
		dst = d.appendMember(dst, name, name == self+1, form)
	}
	return append(dst, '}')
}

func (d *Document) appendMember(dst []byte, name uint32, first bool, form flags) []byte {
	if !first {
		dst = append(dst, ',')
	}
	dst = append(d.appendValue(dst, name, form), ':')
	return d.appendValue(dst, name+1, form)
}
