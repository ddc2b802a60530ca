'use strict';

// What the three generations of @mojaloop/sdk-standard-components do with a
// message. Nothing here canonicalises or signs by itself: every result comes
// out of the installed packages.

const { readdirSync, readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

// Both the signer and the validator insist on these members of a logger; the
// library logs whole messages, which would drown a test's output.
const silent = {
  isDebugEnabled: false,
  child: () => silent,
  debug() {}, verbose() {}, info() {}, warn() {}, error() {},
};

// The text form a generation's validator gives a parsed body: 18.4.1 calls
// JSON.stringify, later ones the serialiser named here.
const serialisers = { a: null, b: 'fast-safe-stringify', c: 'safe-stable-stringify' };

const generations = Object.keys(serialisers);

function packageName(generation) {
  if (!generations.includes(generation)) throw new Error(`sdk is one of ${generations}`);
  return `sdk-${generation}`;
}

function jws(generation) {
  return require(packageName(generation)).Jws;
}

function sign({ sdk, key, method, uri, headers, bodyText, how = 'sign' }) {
  const request = { method, uri, headers: { ...headers }, body: JSON.parse(bodyText) };
  const signer = new (jws(sdk).signer)({ logger: silent, signingKey: key });
  switch (how) {
    case 'sign': signer.sign(request); break;
    case 'getSignature': signAsHub(signer, request); break;
    default: throw new Error('how is sign or getSignature');
  }
  return { headers: request.headers, body: request.body };
}

// Hub services fill in the two headers, ask only for the signature, and leave
// the body to axios, which writes it in insertion order.
function signAsHub(signer, request) {
  request.headers['fspiop-uri'] ??= request.uri;
  request.headers['fspiop-http-method'] = request.method.toUpperCase();
  request.headers['fspiop-signature'] = signer.getSignature(request);
  request.body = JSON.stringify(request.body);
}

function verify({ sdk, keys, directory, headers, body }) {
  const validationKeys = directory === undefined ? keys : keysIn(directory);
  const validator = new (jws(sdk).validator)({ logger: silent, validationKeys });
  const received = asReceived(headers);
  try {
    validator.validate({ headers: received, body: JSON.parse(body) });
    return { valid: true };
  } catch (error) {
    return { valid: false, error: error.message };
  }
}

// Services read a directory of <fspId>.pem files: everything with that ending
// is a key of the name before it.
function keysIn(directory) {
  const names = readdirSync(directory).filter((name) => path.extname(name) === '.pem');
  return Object.fromEntries(names.map((name) => [path.basename(name, '.pem'), readFileSync(path.join(directory, name))]));
}

// Node's HTTP server hands header names over in lower case.
function asReceived(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

// Calls of the ILP object of a generation, in order; a call that throws is
// answered with its error. 18.4.1 knows packets of version 1 only.
function ilp({ sdk, version, secret, calls }) {
  const { Ilp } = require(packageName(sdk));
  const options = { secret, logger: silent };
  const object = sdk === 'a' ? new Ilp(options) : Ilp.ilpFactory(Ilp.ILP_VERSIONS[`v${version}`], options);
  return { results: calls.map(({ method, args }) => ilpCall(object, method, args)) };
}

function ilpCall(object, method, args) {
  try {
    return { value: plain(object[method](...args)) };
  } catch (error) {
    return { error: error.message };
  }
}

// Buffers of a decoded packet as text: what is attached is base64url already,
// the condition becomes it.
function plain(value) {
  if (!Buffer.isBuffer(value?.data)) return value;
  const { data, executionCondition, ...rest } = value;
  return { ...rest, data: data.toString('latin1'), executionCondition: executionCondition?.toString('base64url') };
}

function canon({ bodyText }) {
  return Object.fromEntries(generations.map((g) => [g, serialiser(g)(JSON.parse(bodyText))]));
}

function serialiser(generation) {
  const name = serialisers[generation];
  // Resolved from inside the package, so that it is the very copy it uses.
  return name ? createRequire(require.resolve(packageName(generation)))(name) : JSON.stringify;
}

function versions() {
  const installed = generations.map((g) => [g, require(`${packageName(g)}/package.json`).version]);
  return { ...Object.fromEntries(installed), node: process.versions.node };
}

function load() {
  generations.forEach(jws);
}

module.exports = { load, operations: { sign, verify, ilp, canon, versions } };
