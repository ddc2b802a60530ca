'use strict';

// The samples: a sender and a receiver with key files, and the same after they were switched to the CPM.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { directory, install, run, sdk, start } = require('./temporary.js');
const { world } = require('./world.js');

const samples = path.join(sdk, 'samples');
const kinds = ['key-files', 'cpm'];

const environment = {
  JWS_SIGNING_KEY: path.join(world.keys, 'payerfsp.key'), JWS_PAYERFSP_KEY: path.join(world.keys, 'payerfsp.pem'),
  CPM_URL: world.url.replace('127.0.0.1', 'localhost'), CPM_CA: world.ca, CPM_CERT: world.cert, CPM_KEY: world.key,
};

// Samples where they find both packages.
function installed(t) {
  const dir = directory(t);
  install(dir, '@mojaloop/sdk-standard-components', path.join(world.reference, 'sdk-c'));
  install(dir, '@mojaloop-cpm/sdk', sdk);
  for (const kind of kinds) install(dir, `../${kind}`, path.join(samples, kind), true);
  return dir;
}

test('switching changes ten lines at most', async () => {
  for (const file of ['sender.js', 'receiver.js']) {
    const { code, out } = await run(samples, 'diff', [path.join('key-files', file), path.join('cpm', file)]);
    assert.equal(code, 1, out);
    const lines = out.split('\n');
    const [taken, put] = ['<', '>'].map((mark) => lines.filter((line) => line.startsWith(mark)).length);
    assert.ok(put > 0 && taken + put <= 10, `${file}: ${taken} lines taken out and ${put} put in\n${out}`);
  }
  assert.equal(readFileSync(path.join(samples, 'cpm/logger.js'), 'utf8'), readFileSync(path.join(samples, 'key-files/logger.js'), 'utf8'));
});

for (const receiver of kinds) {
  test(`the receiver with ${receiver} takes what both senders sign, and nothing else`, async (t) => {
    const dir = installed(t);
    const address = await start(t, dir, [path.join(receiver, 'receiver.js')], environment);
    for (const sender of kinds) {
      const { code, out } = await run(dir, process.execPath, [path.join(sender, 'sender.js'), address], environment);
      assert.equal(code, 0, `from the sender with ${sender}: ${out}`);
      assert.equal(out, '202\n');
    }
    const other = { ...environment, JWS_SIGNING_KEY: path.join(world.keys, 'Hub.key') };
    const { code, out } = await run(dir, process.execPath, ['key-files/sender.js', address], other);
    assert.equal(code, 1);
    assert.equal(out, '400\n');
  });
}
