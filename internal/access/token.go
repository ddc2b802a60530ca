package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

// Token is an API token as it is stored: never the token, only its hash. The token has 256 random bits, so that a plain
// hash cannot be searched through.
type Token struct {
	ID string `json:"id"`
	// Hash is SHA-256 of the whole token, in hexadecimal.
	Hash    string    `json:"hash"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// A token is written cpm_<id>_<secret>: a prefix that scanners for leaked secrets find, the id it is looked up and revoked
// by, and the secret.
const (
	tokenPrefix = "cpm_"
	tokenID     = 8  // bytes
	tokenSecret = 32 // bytes
	// maxToken bounds what is hashed.
	maxToken = 256
)

// NewToken makes a token. The text is shown once, to whom it is for, and kept nowhere.
func NewToken(now time.Time, lasts time.Duration) (Token, string) {
	random := make([]byte, tokenID+tokenSecret)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	id := hex.EncodeToString(random[:tokenID])
	text := tokenPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(random[tokenID:])
	hash := sha256.Sum256([]byte(text))
	return Token{ID: id, Hash: hex.EncodeToString(hash[:]), Created: now.UTC(), Expires: now.Add(lasts).UTC()}, text
}

func (t Token) hash() (hash [sha256.Size]byte, ok bool) {
	n, err := hex.Decode(hash[:], []byte(t.Hash[:min(len(t.Hash), hex.EncodedLen(len(hash)))]))
	return hash, err == nil && n == len(hash) && len(t.Hash) == hex.EncodedLen(n)
}

// issued is a token as it is looked up.
type issued struct {
	user    *User
	hash    [sha256.Size]byte
	expires time.Time
}

// holder finds who a token was issued to. It takes as long for one whose id is not known.
func (r *Rules) holder(text string) (issued, bool) {
	if len(text) > maxToken {
		return issued{}, false
	}
	rest, prefixed := strings.CutPrefix(text, tokenPrefix)
	id, _, _ := strings.Cut(rest, "_")
	t, known := r.tokens[id]
	hash := sha256.Sum256([]byte(text))
	same := subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1
	return t, prefixed && known && same
}
