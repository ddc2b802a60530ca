package ssm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/fspiop"
	"github.com/mojaloop/cpm/internal/operation"
)

// judge runs one vector through the product, and names the policy that refuses it, if one does.
type judge func(g *general, group *vectorGroup, v *vector) (accepted bool, rule string)

// refusedRightly says whether an operation did it, and fails the test if it declined for another reason than the input.
func refusedRightly(g *general, v *vector, err error, others ...fault.Kind) (accepted bool) {
	g.t.Helper()
	if err == nil {
		return true
	}
	for _, kind := range append(others, fault.Refused) {
		if errors.Is(err, kind) {
			return false
		}
	}
	g.t.Errorf("vector %d (%s): %v", v.ID, v.Comment, err)
	return false
}

func judgeGCM(g *general, group *vectorGroup, v *vector) (accepted bool, rule string) {
	if group.IvSize != 96 {
		rule = "nonce-not-96-bits"
	}
	ref := g.put(1, cpm.UseDataEncryption, fmt.Sprintf("A%dGCM", group.KeySize), []byte(v.Key))
	k, err := g.m.ring.Key(g.t.Context(), ref)
	g.must(err)
	clear, err := k.(operation.AEAD).Open(slices.Concat(v.Iv, v.Ct, v.Tag), v.Aad)
	if accepted = refusedRightly(g, v, err); accepted && !bytes.Equal(clear, v.Msg) {
		g.t.Errorf("vector %d opens as %x", v.ID, clear)
	}
	sealed := must[*cpmv1.EncryptResponse](g, cpm.Encrypt, &cpmv1.EncryptRequest{Plaintext: append([]byte{}, v.Msg...), AssociatedData: v.Aad}, ref)
	opened := must[*cpmv1.DecryptResponse](g, cpm.Decrypt, &cpmv1.DecryptRequest{Ciphertext: sealed.GetCiphertext(), AssociatedData: v.Aad}, ref)
	if !bytes.Equal(opened.GetPlaintext(), v.Msg) {
		g.t.Errorf("vector %d comes back as %x", v.ID, opened.GetPlaintext())
	}
	return accepted, rule
}

func judgeWrap(kind string) judge {
	return func(g *general, group *vectorGroup, v *vector) (accepted bool, rule string) {
		ref := g.put(1, cpm.UseWrap, fmt.Sprintf("A%d%s", group.KeySize, kind), []byte(v.Key))
		if len(v.Ct) == 0 {
			return false, "" // nothing to unwrap is Missing
		}
		back, err := do[*cpmv1.UnwrapResponse](g, cpm.Unwrap, &cpmv1.UnwrapRequest{Wrapped: v.Ct}, ref)
		accepted = refusedRightly(g, v, err)
		if accepted && !bytes.Equal(back.GetMaterial(), v.Msg) {
			g.t.Errorf("vector %d unwraps as %x", v.ID, back.GetMaterial())
		}
		if v.Result == "valid" {
			wrapped := must[*cpmv1.WrapResponse](g, cpm.Wrap, &cpmv1.WrapRequest{Material: v.Msg}, ref)
			if !bytes.Equal(wrapped.GetWrapped(), v.Ct) {
				g.t.Errorf("vector %d wraps as %x", v.ID, wrapped.GetWrapped())
			}
		}
		return accepted, ""
	}
}

func judgeMAC(algorithm string) judge {
	return func(g *general, group *vectorGroup, v *vector) (accepted bool, rule string) {
		name, whole := algorithm, map[string]int{"": 128, "HS256": 256, "HS384": 384, "HS512": 512}[algorithm]
		if name == "" {
			name = fmt.Sprintf("A%dCMAC", group.KeySize)
		}
		if group.TagSize != whole {
			rule = "code-not-whole"
		}
		ref := g.put(1, cpm.UseMAC, name, []byte(v.Key))
		verdict, err := do[*cpmv1.MacVerifyResponse](g, cpm.MACVerify, &cpmv1.MacVerifyRequest{Data: append([]byte{}, v.Msg...), Mac: v.Tag}, ref)
		if !refusedRightly(g, v, err, fault.Device, fault.Missing) {
			return false, rule // a key or a code of a length that there is not
		}
		code := must[*cpmv1.MacResponse](g, cpm.MAC, &cpmv1.MacRequest{Data: append([]byte{}, v.Msg...)}, ref).GetMac()
		if v.Result == "valid" && !bytes.HasPrefix(code, v.Tag) {
			g.t.Errorf("vector %d: the code is %x", v.ID, code)
		}
		return verdict.GetValid(), rule
	}
}

// key is the group's public key.
func (p *publicVector) key() crypto.PublicKey {
	on := func(c elliptic.Curve) crypto.PublicKey {
		k, err := ecdsa.ParseUncompressedPublicKey(c, p.Uncompressed)
		if err != nil {
			panic(err) // the vectors have points on their curves
		}
		return k
	}
	switch p.Curve {
	case "secp256r1":
		return on(elliptic.P256())
	case "secp384r1":
		return on(elliptic.P384())
	case "secp521r1":
		return on(elliptic.P521())
	}
	if len(p.Modulus) > 0 {
		return &rsa.PublicKey{N: new(big.Int).SetBytes(p.Modulus), E: int(new(big.Int).SetBytes(p.PublicExponent).Int64())}
	}
	return ed25519.PublicKey(p.Pk)
}

// algorithms are those a signature of the group is judged with: the one of its parameters, or if the registry has none, every
// one the key could have, and the rule.
func (group *vectorGroup) algorithms() (names []string, rule string) {
	bits := strings.TrimPrefix(group.Sha, "SHA-")
	switch {
	case group.PublicKey.Curve == "secp256r1":
		names = []string{"ES256"}
	case group.PublicKey.Curve == "secp384r1":
		names = []string{"ES384"}
	case group.PublicKey.Curve == "secp521r1":
		names = []string{"ES512"}
	case strings.HasPrefix(group.Type, "RsassaPkcs1"):
		names = []string{"RS" + bits}
	case strings.HasPrefix(group.Type, "RsassaPss"):
		if group.Mgf != "MGF1" || group.MgfSha != group.Sha || fmt.Sprint(group.SLen*8) != bits {
			return []string{"PS256", "PS384", "PS512"}, "pss-parameters-not-in-registry"
		}
		names = []string{"PS" + bits}
	default:
		return []string{"EdDSA"}, ""
	}
	if _, known := fspiop.DataAlgorithmNamed(names[0]); !known {
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, "hash-not-in-registry"
	}
	if group.PublicKey.Curve != "" && map[string]string{"ES256": "256", "ES384": "384", "ES512": "512"}[names[0]] != bits {
		rule = "hash-not-in-registry"
	}
	return names, rule
}

func judgeSignature(g *general, group *vectorGroup, v *vector) (accepted bool, rule string) {
	names, rule := group.algorithms()
	key := group.PublicKey.key()
	encoding := "raw"
	if group.Type == "EcdsaVerify" {
		encoding = "der"
	}
	var refs []cpm.KeyRef
	for i, name := range names {
		refs = append(refs, g.once(byte(i+1), cpm.UseDataSignature, name, key))
		a, _ := fspiop.DataAlgorithmNamed(name)
		if err := a.Accepts(key); rule == "" && err != nil {
			rule = fault.From(err).Cause().Error()
		}
	}
	if len(v.Sig) == 0 {
		return false, "" // no signature is Missing
	}
	verdict, err := do[*cpmv1.VerifyResponse](g, cpm.Verify, &cpmv1.VerifyRequest{
		Input: &cpmv1.VerifyRequest_Data{Data: v.Msg}, Signature: v.Sig, Encoding: encoding,
	}, refs...)
	return refusedRightly(g, v, err) && verdict.GetValid(), rule
}

// oaep puts the group's key, and names the rule by which it is refused.
func oaep(g *general, group *vectorGroup) (ref cpm.KeyRef, rule string) {
	switch err := fspiop.CheckPublicKey(group.private.Public()); {
	case err != nil:
		rule = fault.From(err).Cause().Error()
	case group.Sha != "SHA-256" || group.MgfSha != "SHA-256":
		rule = "hash-not-in-registry"
	}
	return g.once(1, cpm.UseWrap, cpm.RSAOAEP256, group.private), rule
}

// once puts a key unless it is there: parsing it for every vector would cost more than the vectors.
func (g *general) once(number byte, use cpm.KeyUse, algorithm string, key any) cpm.KeyRef {
	if _, held := g.m.ring.find(cpm.KeyID{15: number}); held {
		return cpm.KeyRef{ID: cpm.KeyID{15: number}}
	}
	return g.put(number, use, algorithm, key)
}

func judgeUnwrapOAEP(g *general, group *vectorGroup, v *vector) (accepted bool, rule string) {
	ref, rule := oaep(g, group)
	if len(v.Ct) == 0 || rule != "" && group.KeySize > 3072 {
		return false, rule // nothing to unwrap is Missing; and what another rule refuses is not worth the time of large keys
	}
	if rule == "" && len(v.Label) > 0 {
		rule = "label"
	}
	back, err := do[*cpmv1.UnwrapResponse](g, cpm.Unwrap, &cpmv1.UnwrapRequest{Wrapped: v.Ct}, ref)
	if accepted = refusedRightly(g, v, err, fault.State); accepted && !bytes.Equal(back.GetMaterial(), v.Msg) {
		g.t.Errorf("vector %d unwraps as %x", v.ID, back.GetMaterial())
	}
	return accepted, rule
}

func judgeLabelledOAEP(g *general, group *vectorGroup, v *vector) (accepted bool, rule string) {
	ref, rule := oaep(g, group)
	if rule != "" {
		return false, rule
	}
	k, err := g.m.ring.Key(g.t.Context(), ref)
	g.must(err)
	clear, err := k.(operation.Decrypter).Decrypt(nil, v.Ct, &rsa.OAEPOptions{Hash: crypto.SHA256, Label: v.Label})
	if err == nil && !bytes.Equal(clear, v.Msg) {
		g.t.Errorf("vector %d decrypts as %x", v.ID, clear)
	}
	return err == nil, rule
}
