package core

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
)

// Encryption is what an FSP's policy says of encrypted fields (FSPIOP Encryption v1.1).
type Encryption struct {
	// Send says what message.protect encrypts of the messages the FSP sends.
	Send []EncryptionRule `json:"send,omitempty"`
	// Receive says what message.open wants encrypted in the messages the FSP receives.
	Receive []EncryptionRule `json:"receive,omitempty"`
}

// EncryptionRule names fields of some messages. All rules that apply to a message count together.
type EncryptionRule struct {
	// Resource is the resource of the FSPIOP API a message is about, such as quotes.
	Resource string `json:"resource"`
	// Methods are POST, PUT and PATCH, in upper case; absent are all of them.
	Methods []string `json:"methods,omitempty"`
	// Peers are the FSPs at the other end, recipients in Send, senders in Receive; absent or "*" is every FSP.
	Peers []string `json:"peers,omitempty"`
	// Fields are dotted paths in the body, such as payee.partyIdInfo.partyIdentifier. A field that a message does not have is
	// passed over.
	Fields []string `json:"fields"`
	// Required declines a message that does not have one of the fields, unless it reports an error.
	Required bool `json:"required,omitempty"`
	// Algorithm is A128GCM, A192GCM or A256GCM (default), in Send only. Of several rules the longest key counts.
	Algorithm string `json:"algorithm,omitempty"`
}

// Bounds of a policy: an element of FSPIOP-Encryption takes some 700 bytes of a header, and a field's name has at most 512
// characters (Encryption v1.1, section 3.1).
const (
	maxEncryptionRules  = 64
	maxEncryptionFields = 32
	maxEncryptionPeers  = 256
	maxFieldName        = 512
)

// anyPeer stands for every FSP in a rule.
const anyPeer = "*"

// contentAlgorithms are the algorithms for content, by the length of the key.
func contentAlgorithms() []string { return []string{"A128GCM", "A192GCM", "A256GCM"} }

// defaultContent is what the specification recommends.
const defaultContent = "A256GCM"

// check names every problem of the rules.
func (e Encryption) check() error {
	var problems []error
	for _, list := range []struct {
		name  string
		rules []EncryptionRule
	}{{"send", e.Send}, {"receive", e.Receive}} {
		if len(list.rules) > maxEncryptionRules {
			problems = append(problems, fmt.Errorf("encryption.%s has more than %d rules", list.name, maxEncryptionRules))
			continue
		}
		for i, r := range list.rules {
			at := fmt.Sprintf("encryption.%s[%d]", list.name, i)
			problems = append(problems, r.check(at))
			if list.name == "receive" && r.Algorithm != "" {
				problems = append(problems, fmt.Errorf("%s.algorithm: the sender chooses the algorithm; remove it", at))
			}
		}
	}
	return errors.Join(problems...)
}

func (r EncryptionRule) check(at string) error {
	var problems []error
	problem := func(member, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s.%s: %s", at, member, fmt.Sprintf(format, args...)))
	}
	if !slices.Contains(fspiop.Resources(), r.Resource) {
		problem("resource", "%q is not one of %v", r.Resource, fspiop.Resources())
	}
	for _, m := range r.Methods {
		if m != "POST" && m != "PUT" && m != "PATCH" {
			problem("methods", "%q is not one of POST, PUT, PATCH", m)
		}
	}
	if len(r.Peers) > maxEncryptionPeers {
		problem("peers", "more than %d; write * for every FSP", maxEncryptionPeers)
	}
	for _, p := range r.Peers {
		if p != anyPeer && !cpm.ValidName(p) {
			problem("peers", "%q is no name of an FSP and not *", p)
		}
	}
	if r.Algorithm != "" && !slices.Contains(contentAlgorithms(), r.Algorithm) {
		problem("algorithm", "%q is not one of %v", r.Algorithm, contentAlgorithms())
	}
	if len(r.Fields) == 0 || len(r.Fields) > maxEncryptionFields {
		problem("fields", "name 1 to %d fields", maxEncryptionFields)
		return errors.Join(problems...)
	}
	for i, f := range r.Fields {
		if !fieldPath(f) {
			problem("fields", "%q is not names joined by dots, of letters, digits, _ - @ $", f)
		} else if inside(f, slices.Concat(r.Fields[:i], r.Fields[i+1:])) {
			problem("fields", "%q is there twice, or a field around it is there", f)
		}
	}
	return errors.Join(problems...)
}

// fieldPath says whether f can name a field: members' names joined by dots. Elements of arrays have no names
// (Encryption v1.1 defines none).
func fieldPath(f string) bool {
	for _, name := range strings.Split(f, ".") {
		if name == "" || strings.ContainsFunc(name, func(c rune) bool {
			return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("_-@$", c)
		}) {
			return false
		}
	}
	return len(f) <= maxFieldName
}

// inside says whether a field is one of others, or part of one of them.
func inside(f string, others []string) bool {
	return slices.ContainsFunc(others, func(o string) bool { return f == o || strings.HasPrefix(f, o+".") })
}

// peers lists the FSPs the rules name.
func (e Encryption) peers() []string {
	var all []string
	for _, r := range slices.Concat(e.Send, e.Receive) {
		all = append(all, r.Peers...)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(p string) bool { return p == anyPeer })
}

// subject is a message as rules see it. An empty peer is one that is not known.
type subject struct {
	method, resource string
	peer             cpm.FSP
	// failure says that the message reports an error of an earlier one.
	failure bool
}

func subjectOf(method, uri, peer string) subject {
	s := subject{method: method, peer: cpm.FSP(peer)}
	s.resource, s.failure = fspiop.Addressed(uri)
	return s
}

// applies says whether a rule is for the message. A peer that is not known could be any.
func (r EncryptionRule) applies(s subject) bool {
	return r.Resource == s.resource && (len(r.Methods) == 0 || slices.Contains(r.Methods, s.method)) &&
		(len(r.Peers) == 0 || s.peer == "" || slices.Contains(r.Peers, anyPeer) || slices.Contains(r.Peers, string(s.peer)))
}

// wanted is what the rules that apply to a message say together.
type wanted struct {
	// fields are all of them, none inside another; required are those that must be there.
	fields, required []string
	algorithm        string
}

func (s subject) wants(rules []EncryptionRule) wanted {
	var w wanted
	for _, r := range rules {
		if !r.applies(s) {
			continue
		}
		w.fields = append(w.fields, r.Fields...)
		if r.Required && !s.failure {
			w.required = append(w.required, r.Fields...)
		}
		// The names are in the order of the key's length as texts, too.
		w.algorithm = max(w.algorithm, cmp.Or(r.Algorithm, defaultContent))
	}
	w.fields, w.required = outermost(w.fields), outermost(w.required)
	return w
}

// outermost lists fields once and without those inside another one, which covers them.
func outermost(fields []string) []string {
	slices.Sort(fields)
	var kept []string
	for _, f := range slices.Compact(fields) { // what is around a field sorts before it
		if !inside(f, kept) {
			kept = append(kept, f)
		}
	}
	return kept
}

// there lists the fields that a body has; one with the value null is none. A path that leads into an array is declined, as
// nobody could say which element is meant.
func there(body *canon.Document, fields []string) ([]string, error) {
	var found []string
	for _, f := range fields {
		at, ok := body.Root(), true
		for name := range strings.SplitSeq(f, ".") {
			if at.Kind() == canon.Array {
				return nil, fault.New(fault.Invalid, "the FSP's policy names %s, which leads into an array of this message; name the array itself", f)
			}
			if at, ok = at.Member(name); !ok {
				break
			}
		}
		if ok && at.Kind() != canon.Null {
			found = append(found, f)
		}
	}
	return found, nil
}

// checkRequired declines a body that does not have every required field.
func (w wanted) checkRequired(body *canon.Document) error {
	found, err := there(body, w.required)
	if err != nil {
		return err
	}
	for _, f := range w.required {
		if !slices.Contains(found, f) {
			return fault.New(fault.Missing, "the body does not have the field %s, which the FSP's policy requires", f)
		}
	}
	return nil
}
