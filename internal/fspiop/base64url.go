package fspiop

import (
	"encoding/base64"
	"errors"
	"strings"
)

var errBase64URL = errors.New("not unpadded base64url")

// base64url is the encoding of RFC 7515, section 2: URL alphabet, no padding, no bits left over.
var base64url = base64.RawURLEncoding.Strict()

// decodeBase64URL accepts the one encoding there is of each octet string. The standard decoder skips line ends, so two texts
// could mean one signature: they are refused here.
func decodeBase64URL(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errBase64URL
	}
	octets, err := base64url.DecodeString(text)
	if err != nil {
		return nil, errBase64URL
	}
	return octets, nil
}
