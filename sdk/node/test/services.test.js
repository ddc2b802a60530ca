'use strict';

// The call path of Mojaloop's services: sendRequest of @mojaloop/central-services-shared, as it comes from npm and with our patch.

const assert = require('node:assert/strict');
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');

const { directory, install, run, sdk } = require('./temporary.js');
const { reference, silent, world } = require('./world.js');

const shared = path.join(world.reference, 'sdk-c/node_modules/@mojaloop/central-services-shared');
const { version } = JSON.parse(readFileSync(path.join(shared, 'package.json')));

// A service of the hub that sends one callback.
const service = `
const { Util: { Request } } = require('@mojaloop/central-services-shared');
const [url, kind] = process.argv.slice(2);
const { CPM_URL, CPM_CA, CPM_CERT, CPM_KEY, HUB_KEY } = process.env;
const silent = { isDebugEnabled: false, child: () => silent, debug() {}, error() {} };
const signers = {
  cpm() {
    const { Jws } = require('@mojaloop-cpm/sdk');
    return new Jws.signer({ cpm: { url: CPM_URL, tls: { ca: CPM_CA, cert: CPM_CERT, key: CPM_KEY } }, fspId: 'Hub', body: 'sorted' });
  },
  library() {
    const { Jws } = require('@mojaloop/sdk-standard-components');
    return new Jws.signer({ logger: silent, signingKey: require('node:fs').readFileSync(HUB_KEY, 'utf8') });
  },
};
Request.sendRequest({
  url, method: 'PUT', source: 'Hub', destination: 'payerfsp', hubNameRegex: /^Hub$/, jwsSigner: signers[kind](),
  headers: {
    'content-type': 'application/vnd.interoperability.transfers+json;version=1.1', date: new Date().toUTCString(),
    'fspiop-source': 'Hub', 'fspiop-destination': 'payerfsp', 'fspiop-http-method': 'PUT', 'fspiop-uri': '/transfers/1/error',
  },
  payload: { errorInformation: { errorDescription: 'zoë', errorCode: '3100' } },
}).then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
`;

// The package as npm installs it, patched or not, beside the service.
async function serviceIn(t, patched) {
  const dir = directory(t);
  install(dir, '@mojaloop/central-services-shared', shared, true);
  install(dir, '@mojaloop/sdk-standard-components', path.join(world.reference, 'sdk-c'));
  install(dir, '@mojaloop-cpm/sdk', sdk);
  if (patched) {
    const file = path.join(sdk, 'patches', `@mojaloop+central-services-shared+${version}.patch`);
    const { code, out } = await run(dir, 'git', ['apply', '--verbose', file], { GIT_CEILING_DIRECTORIES: path.dirname(dir) });
    assert.equal(code, 0, out);
  }
  writeFileSync(path.join(dir, 'service.js'), service);
  return dir;
}

// Has the service send its callback, and gives what arrives.
async function callback(t, dir, kind) {
  let arrived;
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    arrived = { headers: request.headers, body: Buffer.concat(parts).toString() };
    response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { code, out } = await run(dir, process.execPath, ['service.js', `http://127.0.0.1:${server.address().port}/transfers/1/error`, kind], {
    NODE_PATH: [path.join(world.reference, 'sdk-c/node_modules'), world.reference].join(path.delimiter), LOG_LEVEL: 'error',
    CPM_URL: world.url.replace('127.0.0.1', 'localhost'), CPM_CA: world.ca, CPM_CERT: world.cert, CPM_KEY: world.key,
    HUB_KEY: path.join(world.keys, 'Hub.key'),
  });
  return { code, out, ...arrived };
}

function validate(generation, { headers, body }) {
  const validationKeys = { Hub: readFileSync(path.join(world.keys, 'Hub.pem')) };
  new (reference(generation).Jws.validator)({ logger: silent, validationKeys }).validate({ headers, body: JSON.parse(body) });
}

test('the patch is for the version that is installed, and changes one line', () => {
  assert.deepEqual(readdirSync(path.join(sdk, 'patches')), [`@mojaloop+central-services-shared+${version}.patch`]);
  const lines = readFileSync(path.join(sdk, 'patches', `@mojaloop+central-services-shared+${version}.patch`), 'utf8').split('\n');
  assert.equal(lines.filter((line) => /^\+(?!\+\+)/.test(line)).length, 1);
});

test('a patched service sends callbacks that the CPM has signed, and every generation validates them', async (t) => {
  const dir = await serviceIn(t, true);
  const arrived = await callback(t, dir, 'cpm');
  assert.equal(arrived.code, 0, arrived.out);
  assert.equal(arrived.body, '{"errorInformation":{"errorCode":"3100","errorDescription":"zoë"}}');
  for (const g of ['a', 'b', 'c']) validate(g, arrived);

  const before = await callback(t, dir, 'library'); // the patch leaves services alone that go on signing by themselves
  assert.equal(before.code, 0, before.out);
  for (const g of ['a', 'b']) validate(g, before);
});

test('without the patch the signature is not a signature', async (t) => {
  const dir = await serviceIn(t, false);
  const arrived = await callback(t, dir, 'cpm');
  assert.equal(arrived.headers['fspiop-signature'], '[object Promise]', arrived.out);
  assert.throws(() => validate('c', arrived));
});
