package keys

import (
	"errors"

	"github.com/mojaloop/cpm/internal/fault"
)

// Rule names what a key update breaks. It is in the chain of the fault, for the log, for counting and for tests; the
// caller sees the fault's public text only.
type Rule string

// The rules of key updates, in the order they are checked.
const (
	RuleMalformed   Rule = "update-malformed"    // not a compact JWS over one document as it is defined
	RuleHeader      Rule = "update-header"       // a member of the JWS header that is wrong, missing or not allowed
	RuleSigner      Rule = "update-signer"       // no update key of the FSP it names verifies it
	RuleExpired     Rule = "update-expired"      // its exp is past
	RuleFarExpiry   Rule = "update-expires-late" // its exp is too far ahead
	RuleKey         Rule = "key-malformed"       // the new key cannot be read
	RuleWeak        Rule = "key-weak"            // the new key is weak
	RuleProof       Rule = "proof"               // the new key's owner is not proven
	RuleCertificate Rule = "certificate"         // the certificate is not good for the key
	RuleSealedKey   Rule = "sealed-key"          // the sealed key cannot be opened
	RuleReplayed    Rule = "update-replayed"     // it was accepted before
	RuleOutOfOrder  Rule = "update-out-of-order" // a later one was accepted before
	RuleReturning   Rule = "key-returns"         // the material was compromised or destroyed before
)

// Error is the rule's name.
func (r Rule) Error() string { return string(r) }

// breaks makes the fault of a broken rule, with a public text and perhaps the error that showed it.
func breaks(r Rule, k fault.Kind, cause error, text string, args ...any) error {
	if cause == nil {
		return fault.New(k, text, args...).Because(r)
	}
	return fault.New(k, text, args...).Because(errors.Join(r, cause))
}
