package ssm

import (
	"bytes"
	"testing"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// FuzzDecrypt decrypts nothing but what was encrypted, under each kind of key, and has one text for all the rest.
func FuzzDecrypt(f *testing.F) {
	g := newGeneral(f)
	var keys []cpm.KeyRef
	made := map[string]bool{}
	for i, name := range []string{"A256GCM", cpm.RSAOAEP256, cpm.HPKEP256, cpm.HPKEX25519} {
		key := g.put(byte(i+1), cpm.UseDataEncryption, name, material(f, name))
		sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: []byte("x")}, key).GetCiphertext()
		keys, made[string(sealed)] = append(keys, key), true
		f.Add(sealed)
		f.Add(sealed[:cpm.CiphertextPrefix])
		f.Add(bytes.Clone(sealed[:len(sealed)-1]))
	}
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		for _, key := range keys {
			_, err := do[*cpmv1.DecryptResponse](&general{t, g.m}, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: ciphertext}, key)
			if err == nil && !made[string(ciphertext)] || err != nil && fault.From(err).Public != cpm.NotDecrypted {
				t.Errorf("%x: %v", ciphertext, err)
			}
		}
	})
}
