'use strict';

// The client against a running CPM.

const assert = require('node:assert/strict');
const { createPublicKey } = require('node:crypto');
const { copyFileSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { inspect } = require('node:util');

const { Client, CpmError, kinds } = require('..');
const { directory, run, sdk } = require('./temporary.js');
const { client, options, world } = require('./world.js');

const message = {
  method: 'POST', uri: '/quotes', headers: { 'fspiop-source': 'payerfsp', 'fspiop-destination': 'payeefsp' }, body: '{"b":1,"a":2.0}',
};

test('what is signed verifies, and what is changed does not', async (t) => {
  const cpm = client(t);
  const signed = await cpm.jwsSign('payerfsp', message);
  assert.equal(signed.body, '{"a":2,"b":1}');
  const received = { method: 'POST', uri: '/quotes', headers: { ...message.headers, ...signed.headers }, body: signed.body };
  assert.equal((await cpm.jwsVerify('payerfsp', received)).valid, true);
  const verdict = await cpm.jwsVerify('payerfsp', { ...received, body: '{"a":3,"b":1}' });
  assert.equal(verdict.valid, false);
  assert.equal(verdict.reason, 'signature-mismatch');
  assert.equal(verdict.errorInformation.errorCode, '3105');
});

test('every operation of the CPM has a method that reaches it', async (t) => {
  const cpm = client(t);
  assert.ok(world.operations.length >= 21);
  for (const operation of world.operations) {
    const method = operation.replace(/\.(.)/g, (_, letter) => letter.toUpperCase());
    try {
      await cpm[method]('payerfsp', {});
    } catch (error) {
      // An empty request is mostly declined, but nobody may say that there is no such path.
      assert.ok(error instanceof CpmError, `${method}: ${error}`);
      assert.ok(kinds.includes(error.kind) && error.kind !== 'denied' && error.status !== 405, `${method}: ${inspect(error)}`);
      assert.ok(error.requestId, method);
    }
  }
});

test('a decline is an error with kind, code, request id and what can be sent on', async (t) => {
  const cpm = client(t);
  await assert.rejects(cpm.jwsSign('nosuchfsp', message), (error) => {
    assert.ok(error instanceof CpmError && error instanceof Error);
    assert.equal(error.kind, 'denied');
    assert.equal(error.code, '3000');
    assert.equal(error.status, 403);
    assert.match(error.requestId, /^[0-9A-Z]{26}$/);
    assert.equal(error.errorInformation.extensionList.extension[0].value, 'denied');
    assert.match(error.message, /grant/);
    return true;
  });
  await assert.rejects(cpm.jwsVerify('nosuchfsp', message), { kind: 'not-found', code: '3200', status: 404 });
  await assert.rejects(cpm.jwsSign('payerfsp', { ...message, method: undefined }), { kind: 'missing', code: '3102' });
});

test('items of a batch have their results in their places', async (t) => {
  const results = await client(t).batch([
    { fsp: 'payerfsp', jwsSign: message },
    { fsp: 'nosuchfsp', jwsVerify: message },
    { fsp: 'payeefsp', jwsSign: { ...message, headers: { 'fspiop-source': 'payeefsp' } } },
  ]);
  assert.deepEqual(results.map((r) => r.status), ['fulfilled', 'rejected', 'fulfilled']);
  assert.equal(results[0].value.jwsSign.algorithm, 'RS256');
  assert.equal(results[2].value.jwsSign.algorithm, 'ES256');
  assert.ok(results[1].reason instanceof CpmError);
  assert.equal(results[1].reason.kind, 'not-found');
  assert.match(results[1].reason.requestId, /-1$/);
});

test('an FSP with any name stays one part of the path', async (t) => {
  const cpm = client(t);
  for (const fsp of ['a/b', '../payerfsp', 'a?b#c', 'é', '%2e']) {
    await assert.rejects(cpm.jwsVerify(fsp, message), (error) => ['not-found', 'invalid'].includes(error.kind) && error.requestId !== undefined, fsp);
  }
  for (const fsp of ['', '.', '..', undefined]) await assert.rejects(cpm.jwsVerify(fsp, message), TypeError);
});

for (const more of [{ maxSockets: 2 }, { gather: true }]) test(`many calls with ${JSON.stringify(more)} are all answered`, async (t) => {
  const cpm = client(t, more);
  const bodies = await Promise.all(Array.from({ length: 40 }, (_, i) => cpm.jwsSign('payeefsp', {
    ...message, headers: { 'fspiop-source': 'payeefsp' }, body: `{"i":${i}}`,
  })));
  assert.deepEqual(bodies.map((b) => b.body), bodies.map((_, i) => `{"i":${i}}`));
});

test('the CPM describes itself', async (t) => {
  assert.equal((await client(t).openapi()).openapi, '3.1.0');
});

test('public keys of FSPs and of the hub can be read', async (t) => {
  const cpm = client(t);
  const [payee, hub] = await Promise.all([cpm.jwks('payeefsp'), cpm.jwks()]);
  assert.deepEqual(payee.keys.map((k) => k.crv), ['P-256']);
  assert.deepEqual(hub.keys.map((k) => k.kty), ['RSA']);
  const pem = createPublicKey(readFileSync(path.join(world.keys, 'payeefsp.pem')));
  assert.deepEqual({ ...pem.export({ format: 'jwk' }), ...payee.keys[0] }, payee.keys[0]);
});

test('an authority that did not issue the certificate of the CPM is not believed', async (t) => {
  const cpm = client(t, { tls: { ...options.tls, ca: world.cert } });
  await assert.rejects(cpm.jwsSign('payerfsp', message), { kind: 'unreachable', code: '2003', status: undefined });
});

test('nor when the environment says that certificates need not be checked', async (t) => {
  const script = `
    const { Client } = require(${JSON.stringify(sdk)});
    const cpm = new Client(${JSON.stringify({ ...options, tls: { ...options.tls, ca: world.cert } })});
    cpm.jwsSign('payerfsp', {}).then(() => console.log('asked'), (error) => { console.log(error.kind); process.exit(0); });`;
  const { out } = await run(directory(t), process.execPath, ['-e', script], { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' });
  assert.equal(out, 'unreachable\n');
});

test('TLS before 1.3 is not spoken', async (t) => {
  const [cert, key] = [world.cert, world.key].map((file) => readFileSync(file));
  const server = https.createServer({ cert, key, maxVersion: 'TLSv1.2' }, (_, response) => response.end('{}'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const cpm = client(t, { url: `https://127.0.0.1:${server.address().port}` });
  await assert.rejects(cpm.jwsSign('payerfsp', message), { kind: 'unreachable', cause: /PROTOCOL_VERSION/ });
});

test('another name in the certificate of the CPM is not believed', async (t) => {
  const cpm = client(t, { tls: { ...options.tls, servername: 'other.example' } });
  await assert.rejects(cpm.jwsSign('payerfsp', message), { kind: 'unreachable', cause: 'ERR_TLS_CERT_ALTNAME_INVALID' });
});

test('a certificate that changes is used without a restart, a half-written one is not', async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'cpm-sdk-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const [cert, key] = [path.join(dir, 'tls.crt'), path.join(dir, 'tls.key')];
  copyFileSync(world.stranger.cert, cert);
  copyFileSync(world.stranger.key, key);
  const cpm = client(t, { tls: { ...options.tls, cert, key }, reloadInterval: 1 });
  const kind = () => cpm.jwsSign('payerfsp', message).then(() => 'signed', (error) => error.kind);
  assert.equal(await kind(), 'denied');

  copyFileSync(world.cert, cert); // and the key is still that of another
  for (let i = 0; i < 20; i++) assert.equal(await kind(), 'denied');

  copyFileSync(world.key, key);
  const end = Date.now() + 30_000;
  while (await kind() !== 'signed') assert.ok(Date.now() < end, 'the new certificate is never used');
});

test('files that are missing or do not fit are found out at once', () => {
  assert.throws(() => new Client({ ...options, tls: { ...options.tls, key: '/nowhere' } }), { code: 'ENOENT' });
  assert.throws(() => new Client({ ...options, tls: { ...options.tls, key: world.stranger.key } }), /key values mismatch/);
});

test('addresses that would give something away are refused', () => {
  const { tls } = options;
  for (const [url, more] of [
    ['http://cpm.example', {}], ['http://localhost.example', {}], ['https://u:p@cpm.example', { tls }], ['https://cpm.example?x', { tls }],
    ['https://cpm.example', {}], ['ftp://localhost', {}], ['http://localhost', { tls }], ['nothing', {}],
  ]) assert.throws(() => new Client({ url, ...more }), TypeError, url);
  for (const none of [undefined, null, '']) assert.throws(() => new Client({ ...options, url: none }), { name: 'TypeError', message: /^url is needed/ });
  new Client({ url: 'http://[::1]:7800' }).close();
});

test('a closed client says so', async (t) => {
  const cpm = client(t);
  cpm.close();
  await assert.rejects(cpm.jwsSign('payerfsp', message), { kind: 'unreachable', message: /closed/ });
});
