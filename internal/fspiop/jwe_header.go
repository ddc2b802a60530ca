package fspiop

import (
	"errors"

	"github.com/mojaloop/cpm/internal/canon"
	"github.com/mojaloop/cpm/internal/fault"
)

// maxEncryptionHeader bounds FSPIOP-Encryption before it is parsed. That of the most fields with the longest keys and usual
// names fits into it.
const maxEncryptionHeader = 64 << 10

// The members of an element of FSPIOP-Encryption ("Encryption" v1.1, table 3) and their greatest lengths.
const (
	elementName      = "fieldName"
	elementKey       = "encryptedKey"
	elementProtected = "protectedHeader"
	elementIV        = "initializationVector"
	elementTag       = "authenticationTag"

	maxEncryptedKey     = 512
	maxElementProtected = 1024
	maxElementOctets    = 128
)

// elementLimits are the members an element must have, in the order of the table.
var elementLimits = [...]struct {
	name string
	max  int
}{
	{elementName, maxFieldName},
	{elementKey, maxEncryptedKey},
	{elementProtected, maxElementProtected},
	{elementIV, maxElementOctets},
	{elementTag, maxElementOctets},
}

// encryptedField is one element of FSPIOP-Encryption.
type encryptedField struct {
	name string
	// key is the wrapped content key as it came, the same for fields that share one.
	key string
	// aad is the protected header as it came, which is authenticated with the content.
	aad         string
	cipher      contentCipher
	zipped      bool
	contentType string

	wrapped, iv, tag []byte
}

// malformed is the fault of a header that is no FSPIOP-Encryption.
func malformed(cause string) error {
	return fault.New(fault.Invalid, "the header fspiop-encryption is malformed").Because(errors.New(cause))
}

// readEncryption reads FSPIOP-Encryption. Nothing of it depends on a key.
func readEncryption(header string, inflates bool) ([]encryptedField, error) {
	list, err := encryptionList(header)
	if err != nil {
		return nil, err
	}
	var (
		fields []encryptedField
		names  []string
	)
	for element := range list.Elements() {
		if len(fields) == maxFields {
			return nil, fault.New(fault.TooLarge, "more than %d fields are encrypted", maxFields)
		}
		f, err := readElement(element, inflates)
		if err != nil {
			return nil, err
		}
		fields, names = append(fields, f), append(names, f.name)
	}
	if len(fields) == 0 {
		return nil, malformed("no field is named")
	}
	if err := checkPaths(names); err != nil {
		return nil, err
	}
	return fields, distinctIVs(fields)
}

// encryptionList finds the array of elements. The examples of the specification have it in encryptedFields; its tables can be
// read as {"encryptedFields":{"encryptedField":[…]}}, or as {"encryptedField":[…]}.
func encryptionList(header string) (canon.Value, error) {
	if header == "" {
		return canon.Value{}, fault.New(fault.Missing, "the header fspiop-encryption is missing")
	}
	if len(header) > maxEncryptionHeader {
		return canon.Value{}, fault.New(fault.TooLarge, "the header fspiop-encryption is too long")
	}
	doc, err := canon.Parse([]byte(header))
	if err == nil {
		err = doc.Ambiguous()
	}
	if err != nil {
		return canon.Value{}, malformed(err.Error())
	}
	value := onlyMember(doc.Root(), "encryptedFields", "encryptedField")
	if value.Kind() == canon.Object {
		value = onlyMember(value, "encryptedField", "")
	}
	if value.Kind() != canon.Array {
		return canon.Value{}, malformed("there is no list of elements")
	}
	return value, nil
}

// onlyMember is the value of an object's only member, if that has one of two names.
func onlyMember(object canon.Value, name, otherwise string) (only canon.Value) {
	count := 0
	for found, value := range object.Members() {
		if count++; found == name || found == otherwise && value.Kind() == canon.Array {
			only = value
		}
	}
	if count != 1 {
		return canon.Value{}
	}
	return only
}

// readElement reads one element: exactly the five members of the table, all of them strings.
func readElement(element canon.Value, inflates bool) (encryptedField, error) {
	if element.Kind() != canon.Object {
		return encryptedField{}, malformed("an element is no object")
	}
	texts, err := elementTexts(element)
	if err != nil {
		return encryptedField{}, err
	}
	f := encryptedField{name: texts[elementName], key: texts[elementKey], aad: texts[elementProtected]}
	for _, octets := range [...]struct {
		to   *[]byte
		from string
	}{{&f.wrapped, elementKey}, {&f.iv, elementIV}, {&f.tag, elementTag}} {
		if *octets.to, err = decodeBase64URL(texts[octets.from]); err != nil {
			return encryptedField{}, malformed(octets.from + ": " + err.Error())
		}
	}
	if n := len(f.iv); n != usualIV && n != exampleIV || len(f.tag) != tagSize {
		return encryptedField{}, malformed("an IV or a tag has another length than it must")
	}
	return f, f.readProtected(inflates)
}

func elementTexts(element canon.Value) (map[string]string, error) {
	texts := make(map[string]string, len(elementLimits))
	for name, value := range element.Members() {
		text, ok := value.Text()
		if !ok {
			return nil, malformed("a member of an element is no string")
		}
		texts[name] = text
	}
	for _, limit := range elementLimits {
		text, there := texts[limit.name]
		if !there {
			return nil, fault.New(fault.Missing, "an element of fspiop-encryption lacks %s", limit.name)
		}
		if text == "" || len(text) > limit.max {
			return nil, malformed(limit.name + " is empty or too long")
		}
	}
	if len(texts) != len(elementLimits) {
		return nil, malformed("an element has a member it must not have")
	}
	return texts, nil
}

// distinctIVs refuses what gives the plaintexts away: one content key and IV for two fields.
func distinctIVs(fields []encryptedField) error {
	for i := range fields {
		for j := range fields[:i] {
			if fields[i].key == fields[j].key && string(fields[i].iv) == string(fields[j].iv) {
				return malformed("two fields have the same content key and the same IV")
			}
		}
	}
	return nil
}

// appendElement appends the element of an encrypted field, whose encoded parts need no escaping.
func appendElement(dst []byte, name, protected string, wrapped, iv, tag []byte) []byte {
	dst = canon.AppendString(append(dst, `{"`+elementName+`":`...), name)
	dst = base64url.AppendEncode(append(dst, `,"`+elementKey+`":"`...), wrapped)
	dst = append(append(dst, `","`+elementProtected+`":"`...), protected...)
	dst = base64url.AppendEncode(append(dst, `","`+elementIV+`":"`...), iv)
	dst = base64url.AppendEncode(append(dst, `","`+elementTag+`":"`...), tag)
	return append(dst, `"}`...)
}
