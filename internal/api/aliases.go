package api

import "github.com/mojaloop/cpm/internal/cpm"

// alias is another path of an operation: the name it has among the interfaces of the security bounded context in Mojaloop's
// reference architecture. The messages are the same; that document defines none.
type alias struct {
	path      string
	operation cpm.Operation
}

// aliases are those of the names that mean one of the operations and are not their paths already, as encrypt and decrypt
// are. What else stands there has no alias on purpose: pin-translation is an operation of hardware, fido-* is about people,
// and kms-* and crypto-adapter-set are administration, which is not done at this port.
func aliases() []alias {
	return []alias{
		{"random-number-gen", cpm.Random},
		{"hash-gen", cpm.Digest},
		{"signature-gen", cpm.Sign},
		{"signature-ver", cpm.Verify},
	}
}
