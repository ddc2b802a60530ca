'use strict';

// The client against a CPM that is busy, in a time that the tests let pass.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inspect } = require('node:util');

const { CpmError, Jws } = require('..');
const { decline, json, played } = require('./world.js');

// A clock that stands still until it is put on: the monotonic one of the whole process.
function clock(t) {
  let now = 1_000_000;
  t.mock.method(performance, 'now', () => now);
  return { now: () => now, pass: (milliseconds) => { now += milliseconds; } };
}

const busyWith = (retryAfterMs) => ({
  errorInformation: {
    errorCode: '2005', errorDescription: 'Server busy - too much is waiting',
    extensionList: { extension: [{ key: 'kind', value: 'busy' }, { key: 'retryAfterMs', value: String(retryAfterMs) }] },
  },
  requestId: 'R1',
});

function busy(response, retryAfterMs) {
  response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '1', 'x-request-id': 'R1' });
  response.end(JSON.stringify(busyWith(retryAfterMs)));
}

// A client of a CPM that does `rates[path]` operations in a second of the clock, those of other paths always, and is busy beyond;
// then it advises to ask again in `advice` milliseconds. `seen` counts what arrives, by path, gathered or not.
async function limited(t, time, rates, more = {}, advice = 70) {
  const seen = {};
  const due = {};
  const can = (path) => {
    seen[path] = (seen[path] ?? 0) + 1;
    if (rates[path] === undefined) return true;
    const next = Math.max(due[path] ?? 0, time.now() - 50) + 1000 / rates[path];
    if (next > time.now()) return false;
    due[path] = next;
    return true;
  };
  const item = ({ fsp, ...rest }) => {
    const [operation] = Object.keys(rest);
    return can(`${fsp}/${operation}`) ? { [operation]: { algorithm: 'RS256' } } : { error: busyWith(advice) };
  };
  const { client } = await played(t, (response, body, _, { url }) => {
    const [, fsp, rest] = /^\/v1\/fsps\/([^/]+)\/(.*)$/.exec(url) ?? [];
    if (!fsp) json(response, { results: JSON.parse(body).items.map(item) });
    else if (can(`${fsp}/${{ 'jws/sign': 'jwsSign', 'jws/verify': 'jwsVerify' }[rest] ?? rest}`)) json(response, { algorithm: 'RS256' });
    else busy(response, advice);
  }, { retries: 0, ...more });
  return { client, seen };
}

// Whether a decline was made here: then no CPM has an id for it.
const outcomeOf = (promise) => promise.then(() => 'answered', (error) => {
  assert.ok(error instanceof CpmError, inspect(error));
  return error.kind === 'busy' && error.requestId === undefined ? 'declined here' : error.kind;
});

// Outcomes of calls, counted.
async function count(calls) {
  const counts = { answered: 0, busy: 0, 'declined here': 0 };
  for (const outcome of await Promise.all(calls.map(outcomeOf))) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

// Makes a call each `every` milliseconds of the clock, for so many of them.
async function steadily(time, milliseconds, every, call) {
  const counts = { answered: 0, busy: 0, 'declined here': 0 };
  for (let passed = 0; passed < milliseconds; passed += every) {
    time.pass(every);
    const outcome = await outcomeOf(call());
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

const times = (n, call) => Array.from({ length: n }, call);

for (const more of [{}, { gather: true }]) test(`an overloaded CPM is asked little more than it answers, with ${JSON.stringify(more)}`, async (t) => {
  const time = clock(t);
  const { client, seen } = await limited(t, time, { 'f/jwsSign': 40 }, more);
  const sign = () => client.jwsSign('f', {});
  await steadily(time, 2000, 5, sign);
  const before = seen['f/jwsSign'];
  const { answered, busy: declined, 'declined here': here } = await steadily(time, 5000, 5, sign);
  const asked = seen['f/jwsSign'] - before;
  assert.equal(answered + declined, asked);
  assert.equal(answered + declined + here, 1000);
  assert.ok(answered >= 180, `${answered} calls are answered, of 200 that could be`);
  assert.ok(asked <= answered * 1.15, `${asked} calls arrive for ${answered} answers`);
});

test('nothing is declined here in the first second', async (t) => {
  const time = clock(t);
  const { client, seen } = await limited(t, time, { 'f/jwsSign': 40 });
  const counts = await steadily(time, 1000, 5, () => client.jwsSign('f', {}));
  assert.equal(counts['declined here'], 0);
  assert.equal(seen['f/jwsSign'], 200);
});

test('other FSPs and operations are not touched', async (t) => {
  const time = clock(t);
  for (const more of [{}, { gather: true }]) {
    const { client, seen } = await limited(t, time, { 'f/jwsSign': 40 }, more);
    await steadily(time, 1500, 5, () => client.jwsSign('f', {}));
    const before = seen['f/jwsSign'];
    const [mine, verified, others] = await Promise.all([
      count(times(100, () => client.jwsSign('f', {}))), count(times(100, () => client.jwsVerify('f', {}))), count(times(100, () => client.jwsSign('g', {}))),
    ]);
    assert.ok(mine['declined here'] >= 75 && seen['f/jwsSign'] - before <= 25, inspect([mine, seen, before]));
    assert.deepEqual([verified.answered, others.answered], [100, 100]);
    assert.deepEqual([seen['f/jwsVerify'], seen['g/jwsSign']], [100, 100]);
  }
});

test('a call that is declined here has the form of a decline of the CPM', async (t) => {
  const time = clock(t);
  const { client } = await limited(t, time, { 'f-secret/jwsSign': 1 });
  await steadily(time, 1500, 5, () => client.jwsSign('f-secret', {}));
  const request = { method: 'POST', uri: '/quotes', headers: { 'fspiop-source': 'f-secret' }, data: { a: 1 } };
  for (const call of [() => client.jwsSign('f-secret', {}), () => new Jws.signer({ cpm: client }).sign(request)]) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof CpmError);
      assert.deepEqual([error.kind, error.code, error.retryAfter, error.status, error.requestId], ['busy', '2005', 0.07, undefined, undefined]);
      assert.match(error.message, /^Server busy - not sent: a CPM just said busy to jwsSign for this FSP; repeat later/);
      assert.ok(error.message.length <= 128);
      assert.equal(error.errorInformation.errorDescription, error.message);
      assert.deepEqual(error.errorInformation.extensionList, busyWith(70).errorInformation.extensionList);
      assert.doesNotMatch(inspect(error, { depth: 20, showHidden: true }).replace(/^ +at .*$/gm, ''), /f-secret/);
      return true;
    });
  }
});

test('calls pass at once when fewer are made, and any number when the CPM has not been busy for two seconds', async (t) => {
  const time = clock(t);
  const rates = { 'f/jwsSign': 40 };
  const { client } = await limited(t, time, rates);
  const sign = () => client.jwsSign('f', {});
  await steadily(time, 2000, 5, sign);
  time.pass(500);
  rates['f/jwsSign'] = undefined;
  assert.equal((await count(times(10, sign))).answered, 10, 'what half a second allows may go at once');
  assert.ok((await count(times(200, sign)))['declined here'] >= 150, 'the limit is still there');
  const fewer = await steadily(time, 2000, 50, sign);
  assert.equal(fewer.answered, 40);
  time.pass(50);
  assert.deepEqual(await count(times(200, sign)), { answered: 200, busy: 0, 'declined here': 0 });
});

test('a limit grows while nobody says busy, also when as many calls are made as before', async (t) => {
  const time = clock(t);
  const rates = { 'f/jwsSign': 40 };
  const { client } = await limited(t, time, rates);
  const sign = () => client.jwsSign('f', {});
  await steadily(time, 2000, 5, sign);
  rates['f/jwsSign'] = undefined;
  const [first, second, third] = [await steadily(time, 500, 5, sign), await steadily(time, 500, 5, sign), await steadily(time, 500, 5, sign)];
  assert.ok(first.answered * 1.1 < second.answered && second.answered * 1.1 < third.answered && third.answered < 95, inspect([first, second, third]));
  await steadily(time, 1000, 5, sign);
  assert.equal((await count(times(200, sign))).answered, 200);
});

test('a limit nobody has asked under for two seconds is gone', async (t) => {
  const time = clock(t);
  const { client, seen } = await limited(t, time, { 'f/jwsSign': 1 });
  const sign = () => client.jwsSign('f', {});
  await steadily(time, 1500, 5, sign);
  const before = seen['f/jwsSign'];
  assert.equal((await count(times(50, sign)))['declined here'], 50);
  time.pass(1990);
  await client.jwsSign('g', {}); // a call of others, which finds all limits in use, is no call under this one
  time.pass(10);
  await count(times(50, sign));
  assert.equal(seen['f/jwsSign'] - before, 50);
});

test('calls that come back once when the CPM has said are not declined for it', async (t) => {
  const time = clock(t);
  const { client } = await played(t, (response, _, n) => (n <= 50 ? busy(response, 700) : json(response, {})), { retries: 0 });
  assert.equal((await count(times(50, () => client.jwsSign('f', {})))).busy, 50);
  time.pass(700);
  assert.equal((await count(times(50, () => client.jwsSign('f', {})))).answered, 50);
});

test('an answer counts, whatever it is, and a call without one does not', async (t) => {
  const time = clock(t);
  for (const [what, answer, passing] of [
    ['denied', (response) => decline(response, 403, 'denied'), 127],
    ['timeout of the CPM', (response) => decline(response, 504, 'timeout'), 127],
    ['not a CPM', (response) => response.end('hello'), 5],
    ['lost', (response) => response.socket.destroy(), 5],
    ['timeout here', () => {}, 5],
  ]) {
    let now = (response) => busy(response, 1000);
    const { client } = await played(t, (response) => now(response), { retries: 0, maxSockets: 200 });
    await outcomeOf(client.jwsVerify('f', {}));
    time.pass(500);
    await outcomeOf(client.jwsVerify('f', {}));
    time.pass(1);
    now = answer;
    await Promise.all(times(100, () => outcomeOf(client.jwsVerify('f', {}, what === 'timeout here' ? { timeout: 50 } : {}))));
    time.pass(999); // half a second of 100 answers, and one of none, whose calls may go at once
    now = (response) => json(response, {});
    const counts = await count(times(200, () => client.jwsVerify('f', {})));
    assert.equal(counts.answered, passing, `${what}: ${inspect(counts)}`);
  }
});

test('a call that is declined here is repeated, as one that the CPM declined', async (t) => {
  const time = clock(t);
  const rates = { 'f/jwsSign': 1 };
  const { client, seen } = await limited(t, time, rates, { retries: 1 }, 1000);
  await steadily(time, 1500, 5, () => client.jwsSign('f', {}, { timeout: 900 })); // less than what the CPM advises to wait
  rates['f/jwsSign'] = undefined;
  const before = seen['f/jwsSign'];
  const call = client.jwsSign('f', {});
  await client.jwsSign('g', {});
  assert.equal(seen['f/jwsSign'], before, 'what was asked before this got there is there');
  time.pass(1000);
  await call;
  assert.equal(seen['f/jwsSign'], before + 1);
});

test('repetitions of calls that are declined here are bounded with all others', async (t) => {
  const time = clock(t);
  const { client, seen } = await limited(t, time, { 'f/jwsSign': 1, 'g/jwsSign': 0 }, { retries: 1 }, 300);
  await steadily(time, 1500, 5, () => client.jwsSign('f', {}, { timeout: 250 })); // less than what the CPM advises to wait
  const before = seen['f/jwsSign'];
  assert.equal((await count(times(20, () => client.jwsSign('f', {}))))['declined here'], 20);
  assert.equal(seen['f/jwsSign'], before);
  assert.equal(await outcomeOf(client.jwsSign('g', {})), 'busy');
  assert.equal(seen['g/jwsSign'], 1, 'a busy CPM is asked again when the repetitions were used up here');
});

test('a part that is always declined does not slow the rest', async (t) => {
  const time = clock(t);
  const { client } = await played(t, (response, _, n) => (n % 2 ? busy(response, 70) : json(response, {})), { retries: 0 });
  const counts = await steadily(time, 60_000, 20, () => client.jwsSign('f', {}));
  assert.ok(counts.answered >= 1100, inspect(counts)); // of 1,500
});

test('throttle: false leaves every call to the CPM', async (t) => {
  const time = clock(t);
  const cases = [[{ throttle: false }, false], [{ throttle: true }, true], [{ throttle: undefined }, true], [{ throttle: false, gather: true }, false]];
  for (const [more, here] of cases) {
    const { client, seen } = await limited(t, time, { 'f/jwsSign': 40 }, more);
    const counts = await steadily(time, 2000, 5, () => client.jwsSign('f', {}));
    assert.equal(counts['declined here'] > 0, here, inspect(more));
    assert.equal(seen['f/jwsSign'] + counts['declined here'], 400);
  }
});

test('a closed client says so, whatever limits there were', async (t) => {
  const time = clock(t);
  const { client } = await limited(t, time, { 'f/jwsSign': 1 });
  await steadily(time, 1500, 5, () => client.jwsSign('f', {}));
  client.close();
  assert.deepEqual(await count(times(20, () => client.jwsSign('f', {}))), { answered: 0, busy: 0, 'declined here': 0, unreachable: 20 });
});

test('limits are bounded in number, those there are stay, and room comes back with time', async (t) => {
  const time = clock(t);
  const busyItems = (response, body) => json(response, { results: JSON.parse(body).items.map(() => ({ error: busyWith(70) })) });
  const { client } = await played(t, (response, body, _, { url }) => (url === '/v1/batch' ? busyItems(response, body) : busy(response, 70)),
    { retries: 0, gather: true });
  const ask = (from, n) => count(times(n, (_, i) => client.jwsSign(`f${from + i}`, {})));
  await ask(0, 5000);
  time.pass(500);
  await ask(0, 5000);
  time.pass(500);
  const { busy: sent, 'declined here': here } = await ask(0, 5000);
  assert.deepEqual([sent, here], [904, 4096]);
  time.pass(4000);
  await ask(5000, 10);
  time.pass(500);
  await ask(5000, 10);
  time.pass(500);
  assert.equal((await ask(5000, 10))['declined here'], 10);
});
