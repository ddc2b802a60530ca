package cpm

import "testing"

func TestACiphertextNamesItsKey(t *testing.T) {
	t.Parallel()
	want := KeyID{1, 2, 15: 16}
	for _, body := range []string{"", "the rest"} {
		if id, ok := CiphertextKey(append(NewCiphertext(want, len(body)), body...)); !ok || id != want {
			t.Errorf("with %q after it: %v %v", body, id, ok)
		}
	}
	for name, other := range map[string][]byte{
		"none": nil, "too short": NewCiphertext(want, 0)[:16], "of another version": append([]byte{2}, want[:]...),
	} {
		if id, ok := CiphertextKey(other); ok || id != (KeyID{}) {
			t.Errorf("%s: %v %v", name, id, ok)
		}
	}
}

func FuzzCiphertextKey(f *testing.F) {
	f.Add([]byte{})
	f.Add(NewCiphertext(KeyID{1}, 0))
	f.Add([]byte("\x01aaaaaaaaaaaaaaaaand the rest"))
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		id, ok := CiphertextKey(ciphertext)
		if ok && string(NewCiphertext(id, 0)) != string(ciphertext[:CiphertextPrefix]) {
			t.Errorf("%x: %v", ciphertext, id)
		}
	})
}
