package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"

	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// ProofType is the typ of the JWS that proves possession of a new key.
const ProofType = "cpm-key-proof+jwt"

// proofContext begins what a new key signs, so that its signature cannot be taken for, or from, anything else.
const proofContext = "cpm key proof 1"

// Thumbprint is the SHA-256 of a SubjectPublicKeyInfo, in base64url: "openssl pkey -pubin -outform DER | openssl dgst
// -sha256 -binary | basenc --base64url" without its padding.
func Thumbprint(spki []byte) string {
	sum := sha256.Sum256(spki)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ProofText is what a new key signs to prove that the sender of the update holds its private half: five lines with
// LF between them and none at the end. It says for whom, under which name, in which update and for which key, so that no
// proof serves twice.
func ProofText(f cpm.FSP, name string, seq int64, spki []byte) string {
	return proofContext + "\n" + string(f) + "\n" + name + "\n" + strconv.FormatInt(seq, 10) + "\n" + Thumbprint(spki)
}

// CheckProof wants a JWS of type ProofType by the new key over ProofText. A key that will only decrypt makes it too: of
// its other uses NIST SP 800-57 part 1, section 5.2, allows this single signature.
func (u *Update) CheckProof(k PublicKey) error {
	jws, err := splitJWS([]byte(u.proof), ProofType)
	if err != nil {
		return breaks(RuleProof, fault.Invalid, err, "proof must be a compact JWS with alg and typ %s in its header", ProofType)
	}
	text := ProofText(u.FSP, u.Name, u.Seq, k.spki)
	if subtle.ConstantTimeCompare(jws.payload, []byte(text)) != 1 || !jws.verifiedBy(k.public) {
		return breaks(RuleProof, fault.Invalid, nil, "proof is not by the new key, or not over this fsp, name, seq and key")
	}
	u.strong = true
	return nil
}
