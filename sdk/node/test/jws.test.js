'use strict';

// The drop-in signer and validator, against three generations of the library they take the place of.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { inspect } = require('node:util');

const { InvalidSignatureError, Jws } = require('..');
const { client, json, options, played, quote, reference, silent, world } = require('./world.js');

const generations = ['a', 'b', 'c'];
const signingKey = readFileSync(path.join(world.keys, 'payerfsp.key'), 'utf8');
const validationKeys = { payerfsp: readFileSync(path.join(world.keys, 'payerfsp.pem'), 'utf8') };
// Throws if it does not; what it returns differs between generations.
const validate = (generation, headers, body) => new (reference(generation).Jws.validator)({ logger: silent, validationKeys }).validate({ headers, body });

test('sign() writes what every generation validates', async (t) => {
  const signer = new Jws.signer({ cpm: client(t), logger: silent });
  for (const style of [{ url: 'data' }, { uri: 'body' }]) {
    const [[address, content]] = Object.entries(style);
    const { url, data, ...rest } = quote();
    const request = { ...rest, [address]: url, [content]: data };
    assert.equal(await signer.sign(request), undefined);
    assert.equal(request.headers['fspiop-uri'], '/quotes');
    assert.equal(request.headers['fspiop-http-method'], 'POST');
    assert.deepEqual(Object.keys(request).sort(), ['headers', 'method', address, content].sort());
    assert.deepEqual(JSON.parse(request[content]), data);
    for (const g of generations) validate(g, request.headers, JSON.parse(request[content]));
  }
});

test('sign() leaves a body that is a text as it is, unless told to sort it', async (t) => {
  const cpm = client(t);
  for (const body of ['{"b":1,"a":2}', ' { "x" : "\\u00e9" } ']) {
    const given = { ...quote(), data: body };
    await new Jws.signer({ cpm }).sign(given);
    assert.equal(given.data, body);
    assert.equal(await new Jws.validator({ cpm }).validate({ headers: given.headers, rawBody: body }), true);

    const sorted = { ...quote(), data: body };
    await new Jws.signer({ cpm, body: 'sorted' }).sign(sorted);
    assert.equal(sorted.data, JSON.stringify(JSON.parse(body), ['a', 'b', 'x']));
    for (const g of generations) validate(g, sorted.headers, JSON.parse(sorted.data));
  }
});

test('getSignature() signs what axios sends, as the reference library does', async (t) => {
  const cpm = client(t);
  for (const method of ['post', 'PUT']) {
    const request = quote();
    Object.assign(request, { method });
    Object.assign(request.headers, { 'fspiop-uri': '/quotes', 'fspiop-http-method': method.toUpperCase() });
    const before = structuredClone(request);
    const signature = await new Jws.signer({ cpm, fspId: 'payerfsp' }).getSignature(request);
    assert.deepEqual(request, before);
    const theirs = new (reference('c').Jws.signer)({ logger: silent, signingKey }).getSignature(request);
    assert.equal(JSON.parse(signature).signature, JSON.parse(theirs).signature);
    assert.equal(JSON.parse(signature).protectedHeader, JSON.parse(theirs).protectedHeader);
  }
});

test('getSignature() puts right the headers that would not be those that are signed', async (t) => {
  const request = quote();
  await new Jws.signer({ cpm: client(t) }).getSignature(request);
  assert.equal(request.headers['fspiop-uri'], '/quotes');
  assert.equal(request.headers['fspiop-http-method'], 'POST');
  assert.equal(request.headers['fspiop-signature'], undefined);
});

test('getSignature() of a signer that sorts is accepted by every generation', async (t) => {
  const request = quote();
  request.headers['fspiop-signature'] = await new Jws.signer({ cpm: client(t), body: 'sorted' }).getSignature(request);
  for (const g of generations) validate(g, request.headers, JSON.parse(request.data));
});

test('validate() takes what every generation signs, from the parsed body', async (t) => {
  const validator = new Jws.validator({ cpm: client(t), logger: silent, validationKeys: 'not needed' });
  for (const g of generations) {
    for (const how of ['sign', 'getSignature']) {
      const request = quote();
      request.headers['fspiop-uri'] = '/quotes';
      request.headers['fspiop-http-method'] = 'POST';
      const signer = new (reference(g).Jws.signer)({ logger: silent, signingKey });
      if (how === 'sign') signer.sign(request);
      else request.headers['fspiop-signature'] = signer.getSignature(request);
      const body = typeof request.data === 'string' ? JSON.parse(request.data) : request.data;
      assert.equal(await validator.validate({ headers: request.headers, body }), true, `${g} ${how}`);
      assert.equal(await validator.validate({ headers: request.headers, data: body, method: 'POST', uri: '/fspiop/quotes' }), true);
    }
  }
});

test('validate() refuses what it must, with a reason', async (t) => {
  const cpm = client(t);
  const request = quote();
  await new Jws.signer({ cpm }).sign(request);
  const body = JSON.parse(request.data);
  const warnings = [];
  const validator = new Jws.validator({ cpm, logger: { warn: (...line) => warnings.push(line) } });
  const { 'fspiop-signature': signature, ...unsigned } = request.headers;
  for (const [headers, content, more, reason] of [
    [request.headers, { ...body, quoteId: 'q2' }, {}, 'signature-mismatch'],
    [unsigned, body, {}, 'signature-missing'],
    [{ ...unsigned, 'fspiop-signature': 'x' }, body, {}, 'signature-malformed'],
    [{ ...request.headers, 'fspiop-destination': 'other' }, body, {}, 'destination-mismatch'],
    [{ ...request.headers, 'fspiop-uri': '/transfers' }, body, {}, 'uri-mismatch'],
    [request.headers, body, { uri: '/transfers' }, 'uri-mismatch'],
    [request.headers, body, { method: 'PUT' }, 'method-mismatch'],
    [{ ...request.headers, 'fspiop-source': undefined }, body, {}, 'header-mismatch'],
  ]) {
    await assert.rejects(validator.validate({ headers, body: content, ...more }), (error) => {
      assert.ok(error instanceof InvalidSignatureError);
      assert.equal(error.reason, reason);
      assert.equal(error.code, '3105');
      assert.equal(error.kind, 'invalid-signature');
      return true;
    });
    assert.deepEqual(warnings.pop()[1].reason, reason);
  }
  assert.equal(signature, request.headers['fspiop-signature']);
  await assert.rejects(validator.validate({ headers: { ...request.headers, 'fspiop-source': 'nosuchfsp' }, body }), { kind: 'not-found' });
  await assert.rejects(validator.validate({ headers: request.headers }), /Cannot validate JWS without a body/);
});

test('signing without what it needs fails as with the reference library', async (t) => {
  for (const kind of ['signer', 'validator']) assert.throws(() => new Jws[kind]({ logger: silent, signingKey, validationKeys }), /cpm must be supplied/);
  const cpm = client(t);
  const signer = new Jws.signer({ cpm });
  for (const method of ['sign', 'getSignature']) {
    await assert.rejects(signer[method]({ ...quote(), data: undefined }), /Cannot sign with no body/);
    await assert.rejects(signer[method]({ ...quote(), url: undefined }), TypeError);
    await assert.rejects(signer[method]({ ...quote(), headers: {} }), TypeError);
  }
  await assert.rejects(new Jws.signer({ cpm, fspId: 'payeefsp' }).sign(quote()), { kind: 'invalid' });
});

test('headers that are nobody else\'s business stay here, and nothing is logged', async (t) => {
  const { client: cpm, requests } = await played(t, (response) => json(response, { valid: true, headers: {}, body: '{}' }));
  const logged = [];
  const logger = new Proxy({}, { get: (_, name) => (name === 'child' ? () => logger : (...line) => logged.push(line)) });
  const headers = { ...quote().headers, Authorization: 'Bearer hidden', cookie: 'hidden', 'fspiop-uri': '/quotes', 'fspiop-http-method': 'POST' };
  await new Jws.validator({ cpm, logger }).validate({ headers, body: { a: 1 } });
  await new Jws.signer({ cpm, logger }).sign({ ...quote(), headers });
  assert.equal(requests.length, 2);
  assert.doesNotMatch(JSON.stringify(requests), /hidden/);
  assert.deepEqual(Object.keys(JSON.parse(requests[1].body).headers).sort(), ['date', 'fspiop-destination', 'fspiop-source']);
  assert.deepEqual(logged, []);
});

test('classes make a client of options, and bytes are taken as they are', async (t) => {
  const signer = new Jws.signer({ cpm: client(t) });
  const request = { ...quote(), data: Buffer.from('{"a":"é"}') };
  await signer.sign(request);
  assert.deepEqual(request.data, Buffer.from('{"a":"é"}'));
  assert.equal(await new Jws.validator({ cpm: client(t) }).validate({ headers: request.headers, rawBody: new Uint8Array(request.data) }), true);
  const own = new Jws.signer({ cpm: { ...options, timeout: 1 } });
  await assert.rejects(own.sign(quote()), (error) => /timeout|unreachable/.test(error.kind) || inspect(error));
});
