package seal

import "encoding/binary"

// AD is what a sealed key is bound to. The keyring adds the store's id.
type AD struct {
	Object               [16]byte
	Version              int64
	Kind, Use, Algorithm string
}

// The contexts say what a box is for. Each begins with a label that no other begins with, and its parts have a length,
// so that no two mean the same bytes.

func objectContext(store [16]byte, ad AD) []byte {
	b := labelled("cpm object 1", store)
	b = append(b, ad.Object[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(ad.Version)) //nolint:gosec // two's complement is as good
	for _, s := range []string{ad.Kind, ad.Use, ad.Algorithm} {
		b = appendText(b, s)
	}
	return b
}

func kekContext(store, term [16]byte, space string) []byte {
	return appendText(append(labelled("cpm kek 1", store), term[:]...), space)
}

func termContext(store, term [16]byte) []byte {
	return append(labelled("cpm root term 1", store), term[:]...)
}

func labelled(label string, store [16]byte) []byte {
	return append(append(make([]byte, 0, 128), label...), store[:]...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) //nolint:gosec // the parts are short
}
