package keys

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/secret"
)

// Sign makes of u what ParseUpdate reads: a compact JWS signed with the FSP's update key, PEM text. kid is the update key's
// name in the CPM; empty lets the CPM try them all. An Add or Update carries a proof by the new private key, PEM text;
// without u.Key and u.Certificate the public half of it is what is added. A u without a Nonce is given one. The caller
// destroys the keys. What could not be accepted is declined here already: the faults of ParseUpdate.
func (u Update) Sign(kid string, updateKey, newKey secret.Bytes) ([]byte, error) {
	if newKey.Len() > 0 {
		if err := u.prove(newKey); err != nil {
			return nil, err
		}
	}
	if u.Nonce == "" {
		u.Nonce = rand.Text()
	}
	payload, err := json.Marshal(u.members())
	if err != nil {
		return nil, err
	}
	text, err := compactJWS(UpdateType, kid, payload, updateKey)
	if err != nil {
		return nil, err
	}
	_, err = ParseUpdate(text)
	return text, err
}

// SealKey seals a private key, PEM text, to an import key: id and JWK as ImportKey gives them. The result is the SealedKey of
// one update.
func SealKey(id string, jwk []byte, newKey secret.Bytes) (string, error) {
	p, err := parsePrivate(newKey)
	if err != nil {
		return "", err
	}
	defer p.private.Destroy()
	return SealSecret(id, jwk, p.private)
}

// SealSecret is SealKey for the bytes of a secret key.
func SealSecret(id string, jwk []byte, newKey secret.Bytes) (string, error) {
	var to jose.JSONWebKey
	if err := json.Unmarshal(jwk, &to); err != nil || !to.IsPublic() {
		return "", fault.New(fault.Invalid, "the import key cannot be read; fetch a new one").Because(err)
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES_A256KW, Key: to.Key, KeyID: id}, nil)
	if err != nil {
		return "", fault.New(fault.Invalid, "the import key cannot be used; fetch a new one").Because(err)
	}
	sealed, err := encrypter.Encrypt(newKey.Open(secret.Token{}))
	if err != nil {
		return "", err
	}
	return sealed.CompactSerialize()
}

// prove adds the proof, and the public key if none is given.
func (u *Update) prove(newKey secret.Bytes) error {
	p, err := parsePrivate(newKey)
	if err != nil {
		return err
	}
	p.private.Destroy()
	if u.Key == "" && u.Certificate == "" {
		u.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p.spki}))
	}
	given, err := ReadPublicKey(u.Addition().Public)
	if err != nil {
		return err
	}
	if !bytes.Equal(given.spki, p.spki) {
		return fault.New(fault.Invalid, "the new private key is not that of the public key or certificate")
	}
	proof, err := compactJWS(ProofType, "", []byte(ProofText(u.FSP, u.Name, u.Seq, p.spki)), newKey)
	u.proof = string(proof)
	return err
}

// updateMembers is the payload in JSON.
type updateMembers struct {
	Action      UpdateAction `json:"action"`
	FSP         cpm.FSP      `json:"fsp"`
	Name        string       `json:"name"`
	Use         cpm.KeyUse   `json:"use,omitempty"`
	Algorithm   string       `json:"algorithm,omitempty"`
	Key         string       `json:"key,omitempty"`
	Certificate string       `json:"certificate,omitempty"`
	SealedKey   string       `json:"sealedKey,omitempty"`
	Proof       string       `json:"proof,omitempty"`
	NotBefore   string       `json:"notBefore,omitempty"`
	NotAfter    string       `json:"notAfter,omitempty"`
	Seq         int64        `json:"seq"`
	Nonce       string       `json:"nonce"`
	Expires     int64        `json:"exp"`
}

func (u *Update) members() updateMembers {
	m := updateMembers{
		Action: u.Action, FSP: u.FSP, Name: u.Name, Use: u.Use, Algorithm: u.Algorithm, Key: u.Key, Certificate: u.Certificate,
		SealedKey: u.SealedKey, Proof: u.proof, Seq: u.Seq, Nonce: u.Nonce, Expires: u.Expires.Unix(),
	}
	if !u.NotBefore.IsZero() {
		m.NotBefore = u.NotBefore.UTC().Format(time.RFC3339)
	}
	if !u.NotAfter.IsZero() {
		m.NotAfter = u.NotAfter.UTC().Format(time.RFC3339)
	}
	return m
}

// compactJWS signs with the usual algorithm of a private key.
func compactJWS(typ, kid string, payload []byte, key secret.Bytes) ([]byte, error) {
	p, err := parsePrivate(key)
	if err != nil {
		return nil, err
	}
	defer p.private.Destroy()
	alg, err := fspiop.DefaultAlgorithm(p.public)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
		Kid       string `json:"kid,omitempty"`
	}{alg, typ, kid})
	if err != nil {
		return nil, err
	}
	input := base64.RawURLEncoding.AppendEncode(nil, header)
	input = base64.RawURLEncoding.AppendEncode(append(input, '.'), payload)
	signature, err := signWith(p, alg, input)
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.AppendEncode(append(input, '.'), signature), nil
}

func signWith(p pair, alg string, input []byte) ([]byte, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(p.private.Open(secret.Token{}))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the private key cannot be read").Because(err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fault.New(fault.Invalid, "this kind of key cannot sign")
	}
	algorithm, _ := fspiop.AlgorithmNamed(alg)
	return algorithm.Sign(rand.Reader, signer, input)
}
