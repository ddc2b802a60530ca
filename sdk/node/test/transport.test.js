'use strict';

// The client against a server that misbehaves in the ways a CPM, or what stands before it, may.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inspect } = require('node:util');

const { Client, CpmError } = require('..');
const { decline, json, played } = require('./world.js');

const ok = (response) => json(response, { algorithm: 'RS256' });
const settled = (promise) => promise.then(() => 'ok', (error) => error.kind ?? error.name);

test('a busy CPM is asked again, not before it said, and then no more', async (t) => {
  const { client, requests } = await played(t, (response, _, n) => (n < 3 ? decline(response, 429, 'busy') : ok(response)));
  assert.equal((await client.jwsSign('f', { body: '{}' })).algorithm, 'RS256');
  assert.equal(requests.length, 3);
  assert.deepEqual(new Set(requests.map((r) => r.body)), new Set(['{"body":"{}"}']));

  const always = await played(t, (response) => decline(response, 429, 'busy'), { retries: 2 });
  await assert.rejects(always.client.jwsVerify('f', {}), { kind: 'busy', status: 429, requestId: 'R1' });
  assert.equal(always.requests.length, 3);

  const later = await played(t, (response, _, n) => (n === 1 ? decline(response, 429, 'busy', { 'retry-after': '1' }) : ok(response)));
  const began = performance.now();
  await later.client.jwsSign('f', {});
  assert.ok(performance.now() - began >= 1000);
});

test('the pause a busy CPM asks for is not waited for when there is no time for it', async (t) => {
  const { client, requests } = await played(t, (response) => decline(response, 429, 'busy', { 'retry-after': '60' }));
  await assert.rejects(client.jwsSign('f', {}), { kind: 'busy', retryAfter: 60 });
  assert.equal(requests.length, 1);
});

test('repetitions of many calls together are bounded', async (t) => {
  const { client, requests } = await played(t, (response) => decline(response, 429, 'busy'), { retries: 3, throttle: false });
  for (let i = 0; i < 50; i++) await assert.rejects(client.jwsSign('f', {}), { kind: 'busy' });
  assert.ok(requests.length >= 60 && requests.length <= 65, `${requests.length} requests for 50 calls`);
});

test('other declines are not repeated', async (t) => {
  for (const [status, kind] of [[503, 'unavailable'], [403, 'denied'], [504, 'timeout'], [500, 'outcome-unknown']]) {
    const { client, requests } = await played(t, (response) => decline(response, status, kind));
    await assert.rejects(client.jwsSign('f', {}), { kind, status });
    assert.equal(requests.length, 1);
  }
});

test('a connection lost after idling is replaced, for operations that answer the same twice', async (t) => {
  for (const [operation, outcome, count] of [['jwsSign', 'ok', 3], ['jwsVerify', 'unreachable', 2]]) {
    const { client, requests } = await played(t, (response, _, n) => (n === 2 ? response.socket.destroy() : ok(response)), { maxSockets: 1 });
    await client.jwsSign('f', {});
    assert.equal(await settled(client[operation]('f', {})), outcome, operation);
    assert.equal(requests.length, count);
  }
});

test('a connection lost in an answer is an error', async (t) => {
  const { client } = await played(t, (response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{"a":');
    setImmediate(() => response.socket.destroy());
  });
  await assert.rejects(client.jwsSign('f', {}), { kind: 'unreachable', code: '2003' });
});

test('nobody there', async (t) => {
  const { client, server } = await played(t, ok);
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(client.jwsSign('f', {}), { kind: 'unreachable', cause: 'ECONNREFUSED' });
});

test('the time of a call ends it, also between attempts and while it waits for a connection', async (t) => {
  const { client } = await played(t, () => {}, { timeout: 50, maxSockets: 1 });
  await assert.rejects(client.jwsSign('f', {}), { kind: 'timeout', code: '2004', status: undefined });
  const two = await Promise.all([client.jwsSign('f', {}), client.jwsSign('f', {}, { timeout: 20 })].map(settled));
  assert.deepEqual(two, ['timeout', 'timeout']);
});

test('a signal gives a call up: before, during, and between attempts', async (t) => {
  const silent = await played(t, () => {});
  const why = new Error('enough');
  await assert.rejects(silent.client.jwsSign('f', {}, { signal: AbortSignal.abort(why) }), why);
  assert.equal(silent.requests.length, 0);
  const controller = new AbortController();
  const call = silent.client.jwsSign('f', {}, { signal: controller.signal });
  setTimeout(() => controller.abort(why), 20);
  await assert.rejects(call, why);

  const busy = await played(t, (response) => decline(response, 429, 'busy', { 'retry-after': '5' }), { timeout: 60_000 });
  const other = new AbortController();
  const waiting = busy.client.jwsSign('f', {}, { signal: other.signal });
  while (busy.requests.length === 0) await new Promise((resolve) => { setTimeout(resolve, 5); });
  setTimeout(() => other.abort(why), 50);
  await assert.rejects(waiting, why);
  assert.equal(busy.requests.length, 1);
});

test('answers that are not those of a CPM', async (t) => {
  for (const [status, text] of [
    [200, 'hello secret'], [200, ''], [200, '5'], [200, 'null'], [502, '<html>secret</html>'], [500, '{}'], [429, '{"errorInformation":{}}'], [204, ''],
  ]) {
    const { client, requests } = await played(t, (response) => { response.writeHead(status); response.end(text); });
    await assert.rejects(client.jwsSign('f', {}), (error) => {
      assert.equal(error.kind, 'protocol', text);
      assert.equal(error.status, status);
      assert.doesNotMatch(inspect(error, { depth: 20 }), /secret/);
      return true;
    });
    assert.equal(requests.length, 1);
  }
  const { client } = await played(t, (response) => json(response, { results: [] }));
  await assert.rejects(client.batch([{ fsp: 'f', jwsSign: {} }]), { kind: 'protocol' });
});

test('an endless answer is not collected', async (t) => {
  const { client } = await played(t, (response) => {
    response.writeHead(200);
    const block = Buffer.alloc(1 << 20, 0x20);
    const more = () => { while (!response.destroyed && response.write(block)); };
    response.on('drain', more);
    more();
  }, { timeout: 60_000 });
  await assert.rejects(client.jwsSign('f', {}), { kind: 'protocol', message: /too large/ });
});

test('a traceparent goes along: that of the call, or that of the moment', async (t) => {
  const parent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
  const { client, requests } = await played(t, ok, { traceparent: () => parent });
  await client.jwsSign('f', {});
  await client.jwsSign('f', {}, { traceparent: parent.replace('ab', 'ef') });
  assert.deepEqual(requests.map((r) => r.headers.traceparent), [parent, parent.replace('ab', 'ef')]);
});

test('a path before those of the CPM stays there', async (t) => {
  const { server, requests } = await played(t, ok);
  const client = new Client({ url: `http://127.0.0.1:${server.address().port}/crypto/` });
  t.after(() => client.close());
  await client.jwsSign('f', {});
  assert.equal(requests[0].url, '/crypto/v1/fsps/f/jws/sign');
  assert.equal(requests[0].headers['content-type'], 'application/json');
});

test('no error shows what was sent', async (t) => {
  const secret = 'TOPSECRET';
  const outcomes = [];
  for (const answer of [
    (response) => decline(response, 400, 'invalid'),
    (response) => response.socket.destroy(),
    () => {},
  ]) {
    const { client } = await played(t, answer, { timeout: 50 });
    outcomes.push(await client.jwsSign('f', { body: secret, headers: { authorization: secret } }).catch((error) => error));
  }
  for (const error of outcomes) {
    assert.ok(error instanceof CpmError);
    assert.doesNotMatch(inspect(error, { depth: 50, showHidden: true }) + JSON.stringify(error), /TOPSECRET/);
  }
});

// A CPM that answers each item with its body, `slow` milliseconds later.
const echo = (slow) => (response, text) => setTimeout(() => {
  const request = JSON.parse(text);
  json(response, request.items ? { results: request.items.map(({ jwsSign }) => answerTo(jwsSign)) } : { body: request.body });
}, slow);

function answerTo({ body }) {
  if (body !== 'bad') return { jwsSign: { body } };
  const extensionList = { extension: [{ key: 'kind', value: 'invalid' }] };
  return { error: { errorInformation: { errorCode: '3101', errorDescription: 'Malformed syntax - bad', extensionList }, requestId: 'R-1' } };
}

test('gathered calls go in few requests, and each has its own answer', async (t) => {
  const { client, requests } = await played(t, echo(20), { gather: true });
  assert.equal((await client.jwsSign('f', { body: 'alone' })).body, 'alone');
  assert.equal(requests[0].url, '/v1/fsps/f/jws/sign');
  const outcomes = await Promise.all(Array.from({ length: 200 }, (_, i) => client.jwsSign('f', { body: i === 7 ? 'bad' : `b${i}` })
    .then((answer) => answer.body, (error) => error)));
  outcomes.forEach((outcome, i) => {
    if (i === 7) assert.deepEqual([outcome.kind, outcome.requestId], ['invalid', 'R-1']);
    else assert.equal(outcome, `b${i}`);
  });
  const counts = requests.slice(1).map((r) => JSON.parse(r.body).items?.length ?? 1);
  assert.equal(counts.reduce((a, b) => a + b), 200);
  assert.ok(counts.length <= 6 && Math.max(...counts) <= 64, `${counts}`);
});

test('large calls are not gathered into one', async (t) => {
  const { client, requests } = await played(t, echo(0), { gather: true });
  const large = 'x'.repeat(200 * 1024);
  await Promise.all(Array.from({ length: 4 }, () => client.jwsSign('f', { body: large })));
  assert.deepEqual(requests.map((r) => r.url), Array(4).fill('/v1/fsps/f/jws/sign'));
});

test('a gathered call has its own time and signal, and the others go on', async (t) => {
  const { client } = await played(t, echo(100), { gather: true });
  const controller = new AbortController();
  const calls = [
    client.jwsSign('f', { body: 'a' }), client.jwsSign('f', { body: 'b' }, { timeout: 20 }), client.jwsSign('f', { body: 'c' }, { signal: controller.signal }),
  ];
  const why = new Error('enough');
  setTimeout(() => controller.abort(why), 20);
  const [a, b, c] = await Promise.allSettled(calls);
  assert.equal(a.value.body, 'a');
  assert.equal(b.reason.kind, 'timeout');
  assert.equal(c.reason, why);
});

test('gathered calls that fail together are repeated or not, each by what it is', async (t) => {
  const { client, requests } = await played(t, (response, text, n) => {
    if (n === 1) decline(response, 429, 'busy');
    else echo(0)(response, text);
  }, { gather: true });
  const bodies = await Promise.all(['a', 'b', 'c'].map((body) => client.jwsSign('f', { body })));
  assert.deepEqual(bodies.map((x) => x.body), ['a', 'b', 'c']);
  assert.ok(requests.length >= 2 && requests.length <= 4);

  const lost = await played(t, (response) => response.socket.destroy(), { gather: true });
  const outcomes = await Promise.all(['a', 'b'].map((body) => settled(lost.client.jwsSign('f', { body }))));
  assert.deepEqual(outcomes, ['unreachable', 'unreachable']);
});

test('a call with a traceparent is not gathered', async (t) => {
  const { client, requests } = await played(t, echo(0), { gather: true });
  const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
  await Promise.all([client.jwsSign('f', { body: 'a' }, { traceparent }), client.jwsSign('f', { body: 'b' }, { traceparent })]);
  assert.deepEqual(requests.map((r) => [r.url, r.headers.traceparent]), Array(2).fill(['/v1/fsps/f/jws/sign', traceparent]));
});

const busyItem = {
  error: {
    errorInformation: {
      errorCode: '2005', errorDescription: 'Server busy',
      extensionList: { extension: [{ key: 'kind', value: 'busy' }, { key: 'retryAfterMs', value: '900' }] },
    },
    requestId: 'R-1',
  },
};

test('the time a busy CPM names is read to the millisecond, also from items', async (t) => {
  const body = (ms) => JSON.stringify({ ...busyItem.error, errorInformation: {
    ...busyItem.error.errorInformation, extensionList: { extension: [{ key: 'kind', value: 'busy' }, { key: 'retryAfterMs', value: ms }] },
  } });
  for (const [ms, retryAfter] of [['50', 0.05], ['0x32', 3], ['123456789', 3]]) {
    const { client } = await played(t, (response) => { response.writeHead(429, { 'retry-after': '3' }); response.end(body(ms)); }, { retries: 0 });
    await assert.rejects(client.jwsSign('f', {}), { kind: 'busy', retryAfter });
  }

  const { client } = await played(t, (response) => json(response, { results: [busyItem] }));
  const [{ reason }] = await client.batch([{ fsp: 'f', jwsSign: {} }]);
  assert.equal(reason.retryAfter, 0.9);
});

test('gathered calls that were declined are not repeated before the time the CPM named', async (t) => {
  const { client, requests } = await played(t, (response, text) => {
    json(response, { results: JSON.parse(text).items.map(() => busyItem) });
  }, { gather: true, timeout: 500 });
  const outcomes = await Promise.all(['a', 'b'].map((body) => client.jwsSign('f', { body }).catch((error) => error)));
  assert.deepEqual(outcomes.map((error) => [error.kind, error.retryAfter]), [['busy', 0.9], ['busy', 0.9]]);
  assert.equal(requests.length, 1);
});

for (const more of [{ maxSockets: 2 }, { gather: true }]) test(`closing with ${JSON.stringify(more)} ends the calls under way, and no other begins`, async (t) => {
  let began;
  const first = new Promise((resolve) => { began = resolve; });
  const responses = [];
  const { client, requests, server } = await played(t, (response) => {
    responses.push(response);
    began();
  }, more);
  const calls = Array.from({ length: 10 }, (_, i) => client.jwsSign('f', { body: `${i}` }).then(() => 'ok', (error) => `${error.kind} ${error.message}`));
  await first;
  client.close();
  const sent = requests.length;
  for (const outcome of await Promise.all(calls)) assert.match(outcome, /^unreachable .*this client is closed/);
  for (const response of responses) ok(response);
  await new Promise((resolve) => setTimeout(resolve, 100)); // so that what would come could come
  assert.ok(requests.length <= 2, `${sent} requests before closing, ${requests.length} after`);
  assert.equal(await new Promise((resolve) => server.getConnections((_, count) => resolve(count))), 0);
});

test('a time that no timer can have is refused', async (t) => {
  const { client } = await played(t, ok);
  for (const timeout of [0, -1, NaN, Infinity, 2 ** 31, '5']) {
    assert.throws(() => new Client({ url: 'http://localhost', timeout }), RangeError, `${timeout}`);
    await assert.rejects(client.jwsSign('f', {}, { timeout }), RangeError, `${timeout}`);
  }
  assert.equal(await settled(client.jwsSign('f', {}, { timeout: 2 ** 31 - 1 })), 'ok');
});
