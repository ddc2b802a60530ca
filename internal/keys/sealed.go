package keys

import (
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// maxSealed bounds a sealed key: the PKCS #8 of the largest RSA key has 5 KiB.
const maxSealed = 16 << 10

// Open opens a private key that was sealed to an import key of the FSP: a compact JWE (RFC 7516) with ECDH-ES+A256KW and
// A256GCM, whose header names the import key as kid and has nothing but alg, enc, epk and kid. The import key is used up,
// whatever comes of it. Every failure has one text. The caller owns the result, which is PKCS #8 DER.
func (i *Imports) Open(f cpm.FSP, jwe string) (secret.Bytes, error) {
	if len(jwe) > maxSealed || strings.Count(jwe, ".") != 4 {
		return secret.Bytes{}, unopened(nil)
	}
	head, _, _ := strings.Cut(jwe, ".")
	kid, err := importID(head)
	if err != nil {
		return secret.Bytes{}, unopened(err)
	}
	private := i.take(f, kid)
	if private == nil {
		return secret.Bytes{}, unopened(nil)
	}
	defer wipe(private)
	sealed, err := jose.ParseEncryptedCompact(jwe, []jose.KeyAlgorithm{jose.ECDH_ES_A256KW}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return secret.Bytes{}, unopened(err)
	}
	plain, err := sealed.Decrypt(private)
	if err != nil {
		return secret.Bytes{}, unopened(err)
	}
	return secret.Take(plain), nil
}

// importID reads the header strictly: no zip, no crit, no key by address or by value but epk.
func importID(encoded string) (kid string, err error) {
	if len(encoded) > maxHeader {
		return "", fault.New(fault.Invalid, "the JWE header is too long")
	}
	plain, err := unbase64([]byte(encoded))
	if err != nil {
		return "", err
	}
	doc, err := strictObject(plain)
	if err != nil {
		return "", err
	}
	for name, value := range doc.Members() {
		text, _ := value.Text()
		switch {
		case name == "alg" && text == string(jose.ECDH_ES_A256KW), name == "enc" && text == string(jose.A256GCM):
		case name == "epk" && value.Kind() == canon.Object:
		case name == "kid" && text != "":
			kid = text
		default:
			return "", fault.New(fault.Invalid, "the JWE header has a member that is not allowed")
		}
	}
	return kid, nil
}

func unopened(cause error) error {
	return breaks(RuleSealedKey, fault.Invalid, cause,
		"sealedKey cannot be opened: ask for a new import key and seal the PKCS #8 of the private key to it, with ECDH-ES+A256KW and A256GCM")
}
