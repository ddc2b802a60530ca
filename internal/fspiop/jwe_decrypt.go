package fspiop

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Decrypted is a body in clear.
type Decrypted struct {
	// Body is the body received, the values in the place of their ciphertexts; every other byte is as it was.
	Body []byte
	// Fields are the paths of the fields, in the order of the header.
	Fields []string
	// Key is the index of the key that decrypted all of them.
	Key int
}

// DecryptFields decrypts the fields that FSPIOP-Encryption names ("Encryption" v1.1, section 3.3), all of them or none, with one
// of the recipient's keys, tried in their order. nil is DefaultPolicy.
//
// Everything that can be judged without a key is judged first: what is malformed is Invalid, Missing or TooLarge. From there on
// there is one fault, Refused, with one text. If a content key cannot be unwrapped, the decryption goes on with a random one,
// so that what fails, for every key, is the authentication tag (RFC 7516, section 11.5). A key that fails for a reason of its
// own, a device that is busy for example, gives its own fault.
func DecryptFields(keys []crypto.Decrypter, m *Message, p *cpm.Policy) (*Decrypted, error) {
	if p == nil {
		p = DefaultPolicy()
	}
	headers, ok := foldNames(m.Headers)
	if !ok {
		return nil, fault.New(fault.Invalid, "two header names differ only in case")
	}
	fields, err := readEncryption(headers[headerEncryption], p.Inflate)
	if err != nil {
		return nil, err
	}
	doc, err := parseBody(m.Body)
	if err != nil {
		return nil, err
	}
	sites := make([]site, len(fields))
	for i := range fields {
		if sites[i], err = siteOf(doc, &fields[i]); err != nil {
			return nil, err
		}
	}
	return decryptAt(keys, fields, sites, m.Body)
}

// site is where a field's ciphertext stands in the body.
type site struct {
	start, end int
	ciphertext []byte
}

func siteOf(doc *canon.Document, f *encryptedField) (site, error) {
	value, err := locate(doc, f.name)
	if err != nil {
		return site{}, err
	}
	text, ok := value.Text()
	if !ok {
		return site{}, fault.New(fault.Invalid, "an encrypted field is no string in the body")
	}
	ciphertext, err := decodeBase64URL(text)
	if err != nil {
		return site{}, fault.New(fault.Invalid, "an encrypted field is not base64url in the body").Because(err)
	}
	start, end := value.Span()
	return site{start, end, ciphertext}, nil
}

func decryptAt(keys []crypto.Decrypter, fields []encryptedField, sites []site, body []byte) (*Decrypted, error) {
	why := errors.New("there is no key to decrypt with")
	for i, key := range keys {
		edits, err := openAll(key, fields, sites)
		if _, own := errors.AsType[*fault.Error](err); own {
			return nil, err
		}
		if err != nil {
			why = err
			continue
		}
		names := make([]string, len(fields))
		for j := range fields {
			names[j] = fields[j].name
		}
		return &Decrypted{Body: splice(body, edits), Fields: names, Key: i}, nil
	}
	return nil, refused(why)
}

// openAll decrypts every field with one key. Fields may share a content key, which is then unwrapped once.
func openAll(key crypto.Decrypter, fields []encryptedField, sites []site) ([]edit, error) {
	unwrapped := map[string][]byte{}
	defer func() {
		for _, cek := range unwrapped {
			clear(cek)
		}
	}()
	edits, budget := make([]edit, len(fields)), maxInflated
	for i := range fields {
		f := &fields[i]
		known := f.cipher.name + f.key
		cek, ok := unwrapped[known]
		if !ok {
			var err error
			if cek, err = unwrap(key, f.wrapped, f.cipher.keySize); err != nil {
				return nil, err
			}
			unwrapped[known] = cek
		}
		text, err := f.open(cek, sites[i].ciphertext, &budget)
		if err != nil {
			return nil, err
		}
		edits[i] = edit{sites[i].start, sites[i].end, text}
	}
	return edits, nil
}

// unwrap gives a content key of the size, or a random one if there is none: the caller goes on alike. The only error is a fault
// of the key itself.
func unwrap(key crypto.Decrypter, wrapped []byte, size int) ([]byte, error) {
	cek := make([]byte, size)
	if _, err := rand.Read(cek); err != nil {
		return nil, err
	}
	pub, ok := key.Public().(*rsa.PublicKey)
	if !ok || pub.Size() != len(wrapped) { // what everybody can see
		return cek, nil
	}
	got, err := key.Decrypt(rand.Reader, wrapped, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if own, is := errors.AsType[*fault.Error](err); is && own.Kind != fault.Refused {
		return nil, err
	}
	if err == nil && len(got) == size {
		copy(cek, got)
	}
	clear(got)
	return cek, nil
}

// open is the JSON of the field's value.
func (f *encryptedField) open(cek, ciphertext []byte, budget *int) ([]byte, error) {
	plaintext, err := open(cek, f.iv, ciphertext, f.tag, f.aad)
	if err != nil {
		return nil, err
	}
	if f.zipped {
		if plaintext, err = inflate(plaintext, *budget); err != nil {
			return nil, err
		}
		*budget -= len(plaintext)
	}
	return valueOf(plaintext, f.contentType)
}
