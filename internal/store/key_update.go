package store

// KeyUpdate is the last signed key update that was accepted of a space. It is written in the same transaction as what the
// update changed, so that no replica and no restart accepts it again.
type KeyUpdate struct {
	Space string
	Seq   int64
	Nonce string
	// At is when it was accepted.
	At int64
}

func (*KeyUpdate) table() string { return "key_updates" }

func (*KeyUpdate) columns() (int, []string) { return 1, []string{"space", "seq", "nonce", "at"} }

func (r *KeyUpdate) fields(d []any) []any { return append(d, &r.Space, &r.Seq, &r.Nonce, &r.At) }
