// Field encryption with Node's crypto alone, written from the document "Encryption" v1.1 (Mojaloop): there is no library that
// does it. Reads {op, key, fields, header, body} from standard input, op being encrypt or decrypt; writes {header, body}.
'use strict'
const crypto = require('node:crypto')

const padding = { padding: crypto.constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
const ciphers = { A128GCM: 'aes-128-gcm', A192GCM: 'aes-192-gcm', A256GCM: 'aes-256-gcm' }
const octets = (text) => Buffer.from(text, 'base64url')

// place is the object that a dotted path ends in, and the name of the member there.
function place (body, path) {
  const names = path.split('.')
  const last = names.pop()
  return [names.reduce((object, name) => object[name], body), last]
}

// Section 3.2.
function encrypt ({ key, fields, body, enc, ivLength }) {
  const message = JSON.parse(body)
  const encryptedFields = fields.map((fieldName) => {
    const [object, name] = place(message, fieldName)
    const plaintext = typeof object[name] === 'string' ? object[name] : JSON.stringify(object[name])
    const cek = crypto.randomBytes(Number(enc.slice(1, 4)) / 8)
    const iv = crypto.randomBytes(ivLength)
    const protectedHeader = Buffer.from(JSON.stringify({ alg: 'RSA-OAEP-256', enc })).toString('base64url')
    const cipher = crypto.createCipheriv(ciphers[enc], cek, iv)
    cipher.setAAD(Buffer.from(protectedHeader, 'ascii'))
    object[name] = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]).toString('base64url')
    return {
      fieldName,
      encryptedKey: crypto.publicEncrypt({ key, ...padding }, cek).toString('base64url'),
      protectedHeader,
      initializationVector: iv.toString('base64url'),
      authenticationTag: cipher.getAuthTag().toString('base64url')
    }
  })
  return { header: JSON.stringify({ encryptedFields }), body: JSON.stringify(message) }
}

// Section 3.3.
function decrypt ({ key, header, body }) {
  const message = JSON.parse(body)
  for (const field of JSON.parse(header).encryptedFields) {
    const { alg, enc } = JSON.parse(octets(field.protectedHeader).toString('utf8'))
    if (alg !== 'RSA-OAEP-256') throw new Error(`alg is ${alg}`)
    const cek = crypto.privateDecrypt({ key, ...padding }, octets(field.encryptedKey))
    const decipher = crypto.createDecipheriv(ciphers[enc], cek, octets(field.initializationVector))
    decipher.setAAD(Buffer.from(field.protectedHeader, 'ascii'))
    decipher.setAuthTag(octets(field.authenticationTag))
    const [object, name] = place(message, field.fieldName)
    const plaintext = Buffer.concat([decipher.update(octets(object[name])), decipher.final()]).toString('utf8')
    object[name] = /^[{[]/.test(plaintext) ? JSON.parse(plaintext) : plaintext
  }
  return { body: JSON.stringify(message) }
}

const question = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
console.log(JSON.stringify({ encrypt, decrypt }[question.op](question)))
