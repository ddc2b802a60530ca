'use strict';

// Every operation that is not a signature of a message or ILP, with a running CPM: what it does is undone or checked.

const assert = require('node:assert/strict');
const { createHash, createPublicKey, verify } = require('node:crypto');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { CpmError } = require('..');
const { client, world } = require('./world.js');

const base64 = (text) => Buffer.from(text).toString('base64');
const text = (encoded) => Buffer.from(encoded, 'base64').toString();

const refused = (error) => error instanceof CpmError && error.kind === 'refused' && error.code === '3100';

const transfer = { transferId: 't1', amount: { currency: 'XXX', amount: '1.50' }, extensionList: { extension: [{ key: 'k', value: 'Zoë' }] } };

test('fields are encrypted for the recipient, and all of them or none decrypted', async (t) => {
  const cpm = client(t);
  const encrypted = await cpm.jweEncrypt('payerfsp', { fields: ['extensionList', 'amount.amount'], body: JSON.stringify(transfer) });
  assert.equal(encrypted.algorithm, 'RSA-OAEP-256');
  assert.match(encrypted.body, /^\{"transferId":"t1","amount":\{"currency":"XXX","amount":"[\w-]+"\},"extensionList":"[\w-]+"\}$/);
  const decrypted = await cpm.jweDecrypt('payerfsp', { headers: encrypted.headers, body: encrypted.body });
  assert.deepEqual(JSON.parse(decrypted.body), transfer);
  assert.deepEqual(decrypted.fields, ['extensionList', 'amount.amount']);
  const changed = JSON.parse(encrypted.body);
  changed.amount.amount = `${changed.amount.amount[0] === 'A' ? 'B' : 'A'}${changed.amount.amount.slice(1)}`;
  await assert.rejects(cpm.jweDecrypt('payerfsp', { headers: encrypted.headers, body: JSON.stringify(changed) }), refused);
});

test('a message is protected by the policy of its sender and opened by its recipient', async (t) => {
  const cpm = client(t);
  const message = {
    method: 'POST', uri: '/transfers', headers: { 'fspiop-source': 'payeefsp', 'fspiop-destination': 'payerfsp', date: new Date().toUTCString() },
  };
  const protectedMessage = await cpm.messageProtect('payeefsp', { ...message, body: JSON.stringify(transfer) });
  assert.deepEqual(protectedMessage.fields, ['extensionList']);
  const received = { ...message, headers: { ...message.headers, ...protectedMessage.headers }, body: protectedMessage.body };
  const opened = await cpm.messageOpen('payerfsp', received);
  assert.equal(opened.valid, true);
  assert.deepEqual(JSON.parse(opened.body), transfer);
  const verdict = await cpm.messageOpen('payerfsp', { ...received, body: received.body.replace('1.50', '9.50') });
  assert.deepEqual([verdict.valid, verdict.reason, verdict.body], [false, 'signature-mismatch', undefined]);
});

test('data is signed so that Node verifies it, and the CPM too', async (t) => {
  const cpm = client(t);
  const data = base64('settlement report');
  const { signature, key } = await cpm.sign('payerfsp', { data, encoding: 'der' });
  const pem = readFileSync(path.join(world.keys, 'payerfsp-data-sig.pem'));
  assert.ok(verify('sha256', Buffer.from(data, 'base64'), createPublicKey(pem), Buffer.from(signature, 'base64')));
  assert.equal(key.name, 'data-sig');
  assert.equal((await cpm.verify('payerfsp', { data, signature, encoding: 'der' })).valid, true);
  assert.equal((await cpm.verify('payerfsp', { data: base64('another report'), signature, encoding: 'der' })).valid, false);
});

test('data is encrypted, put under the current key, and decrypted', async (t) => {
  const cpm = client(t);
  const associatedData = base64('customer 7');
  const { ciphertext } = await cpm.encrypt('payerfsp', { plaintext: base64('account 12345'), associatedData });
  const again = await cpm.rewrap('payerfsp', { ciphertext, associatedData });
  assert.notEqual(again.ciphertext, ciphertext);
  for (const one of [ciphertext, again.ciphertext]) {
    assert.equal(text((await cpm.decrypt('payerfsp', { ciphertext: one, associatedData })).plaintext), 'account 12345');
  }
  await assert.rejects(cpm.decrypt('payerfsp', { ciphertext, associatedData: base64('customer 8') }), refused);
});

test('a data key comes back from what is stored of it', async (t) => {
  const cpm = client(t);
  const { plaintext, ciphertext } = await cpm.datakey('payerfsp', { length: 16 });
  assert.equal(Buffer.from(plaintext, 'base64').length, 16);
  assert.equal((await cpm.decrypt('payerfsp', { ciphertext })).plaintext, plaintext);
  assert.equal((await cpm.datakey('payerfsp', { wrappedOnly: true })).plaintext, undefined);
});

test('codes authenticate, and wrapped material is unwrapped', async (t) => {
  const cpm = client(t);
  const data = base64('message');
  const { mac } = await cpm.mac('payerfsp', { data });
  assert.equal((await cpm.macVerify('payerfsp', { data, mac })).valid, true);
  assert.equal((await cpm.macVerify('payerfsp', { data: base64('massage'), mac })).valid, false);
  const { wrapped } = await cpm.wrap('payerfsp', { material: data });
  assert.equal((await cpm.unwrap('payerfsp', { wrapped })).material, data);
  await assert.rejects(cpm.unwrap('payerfsp', { wrapped: `AAAA${wrapped.slice(4)}` }), refused);
});

test('digests are those of Node, and random bytes are not the same twice', async (t) => {
  const cpm = client(t);
  for (const algorithm of ['SHA-256', 'SHA-512', 'SHA3-384']) {
    const { digest } = await cpm.digest('payerfsp', { data: base64('message'), algorithm });
    assert.equal(digest, createHash(algorithm.toLowerCase().replace(/^sha-/, 'sha')).update('message').digest('base64'));
  }
  const [one, other] = await Promise.all([cpm.random('payerfsp', { length: 32 }), cpm.random('payerfsp', { length: 32 })]);
  assert.equal(Buffer.from(one.random, 'base64').length, 32);
  assert.notEqual(one.random, other.random);
});
