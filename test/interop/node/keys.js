// Reads a JWK Set, an input and its signature from standard input; writes for each key its SubjectPublicKeyInfo, and whether
// it verifies the signature.
'use strict'
const crypto = require('node:crypto')
const { jwks, input, signature } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
const found = jwks.keys.map((jwk) => {
  const key = crypto.createPublicKey({ key: jwk, format: 'jwk' })
  const options = jwk.kty === 'EC' ? { key, dsaEncoding: 'ieee-p1363' } : key
  return {
    kid: jwk.kid,
    spki: key.export({ type: 'spki', format: 'der' }).toString('base64'),
    valid: crypto.verify(jwk.kty === 'OKP' ? null : 'sha' + jwk.alg.slice(2), Buffer.from(input), options, Buffer.from(signature, 'base64url'))
  }
})
console.log(JSON.stringify(found))
