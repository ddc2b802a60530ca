package fspiop

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"
)

// quoteOfFields is a body of about 1 KiB with that many fields, and their names.
func quoteOfFields(count int) (body string, fields []string) {
	body = string(bodyOfSize(1 << 10))
	body = body[:len(body)-1]
	for i := range count {
		name := fmt.Sprintf("f%d", i)
		body += fmt.Sprintf(`,%q:"15295558888"`, name)
		fields = append(fields, name)
	}
	return body + "}", fields
}

// BenchmarkFields compares encrypting and decrypting fields of a body of 1 KiB with what of it is RSA.
func BenchmarkFields(b *testing.B) {
	key, cek := exampleKey(), make([]byte, 32)
	wrapped := must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, cek, nil))
	b.Run("encrypt/primitive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, cek, nil))
		}
	})
	b.Run("decrypt/primitive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(key.Decrypt(nil, wrapped, &rsa.OAEPOptions{Hash: crypto.SHA256}))
		}
	})
	for _, count := range []int{1, 4} {
		body, fields := quoteOfFields(count)
		e := encrypt(b, body, fields...)
		b.Run(fmt.Sprintf("encrypt/%d", count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(EncryptFields(rand.Reader, key.Public(), []byte(body), fields, ""))
			}
		})
		b.Run(fmt.Sprintf("decrypt/%d", count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(decrypt(e.Header, string(e.Body), nil))
			}
		})
		k := &remembering{Decrypter: key, known: map[string][]byte{}}
		b.Run(fmt.Sprintf("decrypt/around/%d", count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(DecryptFields([]crypto.Decrypter{k}, received(e.Header, string(e.Body)), nil))
			}
		})
	}
}

// remembering is a key that decrypts each ciphertext once, so that what remains is everything but RSA.
type remembering struct {
	crypto.Decrypter
	known map[string][]byte
}

func (k *remembering) Decrypt(r io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if plaintext, ok := k.known[string(ciphertext)]; ok {
		return append([]byte{}, plaintext...), nil
	}
	plaintext, err := k.Decrypter.Decrypt(r, ciphertext, opts)
	k.known[string(ciphertext)] = append([]byte{}, plaintext...)
	return plaintext, err
}
