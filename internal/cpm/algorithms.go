package cpm

// The algorithms that encrypt to a public key, by their JOSE names.
const (
	// RSAOAEP256 is RSAES-OAEP with SHA-256 and MGF1 with SHA-256 (RFC 7518, section 4.3).
	RSAOAEP256 = "RSA-OAEP-256"
	// HPKEP256 is HPKE with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM (RFC 9180, section 7).
	HPKEP256 = "HPKE-0"
	// HPKEX25519 is HPKE with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM.
	HPKEX25519 = "HPKE-3"
)
