package cpm

// CiphertextVersion is the first byte of what the operation encrypt makes. After it comes the id of the key, then what the
// key's algorithm made of the plaintext.
const CiphertextVersion = 1

// CiphertextPrefix is how many bytes version and id of the key take; they are authenticated with the rest.
const CiphertextPrefix = 1 + len(KeyID{})

// CiphertextKey is the key a ciphertext of the operation encrypt names; false if it is no such ciphertext.
func CiphertextKey(ciphertext []byte) (id KeyID, ok bool) {
	if len(ciphertext) < CiphertextPrefix || ciphertext[0] != CiphertextVersion {
		return KeyID{}, false
	}
	return KeyID(ciphertext[1:CiphertextPrefix]), true
}

// NewCiphertext begins a ciphertext under a key, with room for more bytes.
func NewCiphertext(id KeyID, more int) []byte {
	ciphertext := make([]byte, 0, CiphertextPrefix+more)
	ciphertext = append(ciphertext, CiphertextVersion)
	return append(ciphertext, id[:]...)
}

// NotDecrypted is the one text for every ciphertext that is not decrypted, whatever the reason.
const NotDecrypted = "the data cannot be decrypted with a key of the FSP; the log has the reason under the request id"
