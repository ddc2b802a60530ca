'use strict';

// What becomes of connections, and of the calls on them and before them.

const assert = require('node:assert/strict');
const { X509Certificate } = require('node:crypto');
const { copyFileSync, readFileSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const { Client } = require('..');
const { directory, run, sdk } = require('./temporary.js');
const { json, options, played, world } = require('./world.js');

const ok = (response) => json(response, { algorithm: 'RS256' });
const settled = (promise) => promise.then(() => 'ok', (error) => error.kind ?? error.name);
const until = async (met) => { while (!met()) await new Promise((resolve) => { setTimeout(resolve, 5); }); };

// A server that listens until the test ends; gives its port.
async function listening(t, server, host = '127.0.0.1') {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, host, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server.address().port;
}

test('one connection serves calls that come one by one, and many serve those that come at once, up to maxSockets', async (t) => {
  const { client, requests, server } = await played(t, (response) => setTimeout(() => ok(response), 5), { maxSockets: 3 });
  let connections = 0;
  server.on('connection', () => { connections++; });
  for (let i = 0; i < 5; i++) await client.jwsSign('f', {});
  assert.equal(connections, 1);
  await Promise.all(Array.from({ length: 20 }, () => client.jwsSign('f', {})));
  assert.equal(connections, 3);
  assert.equal(requests.length, 25);
  for (const maxSockets of [0, -1, NaN]) assert.throws(() => new Client({ url: 'http://localhost', maxSockets }), RangeError, `${maxSockets}`);
});

test('calls that wait for a connection get it in the order in which they came', async (t) => {
  const { client, requests } = await played(t, ok, { maxSockets: 1 });
  await Promise.all(Array.from({ length: 10 }, (_, i) => client.jwsSign('f', { body: `${i}` })));
  assert.deepEqual(requests.map((r) => JSON.parse(r.body).body), Array.from({ length: 10 }, (_, i) => `${i}`));
});

test('a call that was given up while it waited for a connection is never sent', async (t) => {
  const responses = [];
  const { client, requests } = await played(t, (response) => responses.push(response), { maxSockets: 1 });
  const first = client.jwsSign('f', { body: 'first' });
  await until(() => responses.length === 1);
  const controller = new AbortController();
  const given = [client.jwsSign('f', { body: 'late' }, { timeout: 20 }), client.jwsSign('f', { body: 'aborted' }, { signal: controller.signal })];
  const last = client.jwsSign('f', { body: 'last' });
  setTimeout(() => controller.abort(), 20);
  assert.deepEqual(await Promise.all(given.map(settled)), ['timeout', 'AbortError']);
  ok(responses[0]);
  await first;
  await until(() => responses.length === 2);
  ok(responses[1]);
  await last;
  assert.deepEqual(requests.map((r) => JSON.parse(r.body).body), ['first', 'last']);
});

test('a call that is given up takes its connection with it, and the next gets another', async (t) => {
  let closed = 0;
  const { client, server } = await played(t, (response, text) => { if (!text.includes('silence')) ok(response); }, { maxSockets: 1 });
  server.on('connection', (socket) => socket.on('close', () => { closed++; }));
  await client.jwsSign('f', {});
  const calls = [client.jwsSign('f', { body: 'silence' }, { timeout: 30 }), client.jwsSign('f', {})];
  assert.deepEqual(await Promise.all(calls.map(settled)), ['timeout', 'ok']);
  await until(() => closed === 1);
});

test('a connection that a server ends after its answer is not used again, and no call is lost by it', async (t) => {
  const { client, requests } = await played(t, (response) => { response.setHeader('connection', 'close'); ok(response); }, { maxSockets: 1 });
  await client.jwsVerify('f', {});
  await Promise.all(Array.from({ length: 5 }, () => client.jwsVerify('f', {}))); // what must not be repeated is not in danger
  assert.equal(requests.length, 6);
});

test('whatever becomes of calls, there are as many connections for the next ones', async (t) => {
  const held = [];
  const { client } = await played(t, (response, text, n) => {
    if (text.includes('hold')) return held.push(response);
    return [() => ok(response), () => response.socket.destroy(), () => {}, () => response.socket.end('nonsense'), () => response.socket.end()][n % 5]();
  }, { maxSockets: 3, retries: 0 });
  const calls = Array.from({ length: 100 }, (_, i) => {
    const signal = i % 3 === 0 ? AbortSignal.timeout(50 + i) : undefined;
    return settled(client.jwsSign('f', {}, { signal, timeout: 20 + 2 * i }));
  });
  const outcomes = new Set(await Promise.all(calls));
  for (const outcome of ['ok', 'unreachable', 'timeout']) assert.ok(outcomes.has(outcome), `${[...outcomes]}`);
  const last = Array.from({ length: 9 }, () => client.jwsSign('f', { body: 'hold' }));
  for (const count of [3, 6, 9]) {
    await until(() => held.length === count);
    for (const response of held.slice(-3)) ok(response);
    await Promise.all(last.slice(count - 3, count));
  }
});

test('a connection lost before its first answer is not replaced', async (t) => {
  const { client, requests } = await played(t, (response) => response.socket.destroy());
  await assert.rejects(client.jwsSign('f', {}), { kind: 'unreachable', cause: 'ECONNRESET' });
  assert.equal(requests.length, 1);
});

test('nor is one that took the place of another', async (t) => {
  const { client, requests } = await played(t, (response, _, n) => {
    response.setHeader('connection', 'close');
    if (n === 1) ok(response);
    else response.socket.destroy();
  }, { maxSockets: 1 });
  await client.jwsSign('f', {});
  await assert.rejects(client.jwsSign('f', {}), { kind: 'unreachable', cause: 'ECONNRESET' });
  assert.equal(requests.length, 2);
});

test('what a server says ahead of its answer is not the answer', async (t) => {
  const { client } = await played(t, (response) => response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => ok(response)));
  for (let i = 0; i < 2; i++) assert.equal((await client.jwsSign('f', {})).algorithm, 'RS256');
});

test('something other than HTTP is no answer', async (t) => {
  const port = await listening(t, net.createServer((socket) => socket.end('220 mail.example TOPSECRET\r\n')));
  const client = new Client({ url: `http://127.0.0.1:${port}` });
  t.after(() => client.close());
  await assert.rejects(client.jwsSign('f', {}), { kind: 'unreachable' });
});

test('a redirect is not followed', async (t) => {
  const { client, requests } = await played(t, (response) => { response.writeHead(307, { location: '/elsewhere' }); response.end(); });
  await assert.rejects(client.jwsSign('f', {}), { kind: 'protocol', status: 307 });
  assert.equal(requests.length, 1);
});

test('a traceparent that cannot be a header is refused, and nothing is sent', async (t) => {
  const { client, requests } = await played(t, ok);
  await assert.rejects(client.jwsSign('f', {}, { traceparent: 'a\r\nhost: other' }), TypeError);
  assert.equal(requests.length, 0);
});

const without = Object.values(os.networkInterfaces()).flat().some(({ address }) => address === '::1') ? false : 'this machine has no ::1';

test('a host may be an address of IPv6', { skip: without }, async (t) => {
  const hosts = [];
  const port = await listening(t, http.createServer((request, response) => { hosts.push(request.headers.host); ok(response); }), '::1');
  const client = new Client({ url: `http://[::1]:${port}` });
  t.after(() => client.close());
  await client.jwsSign('f', {});
  assert.deepEqual(hosts, [`[::1]:${port}`]);
});

test('closing ends a connection that is not made yet', async (t) => {
  const silent = net.createServer(); // takes connections, and begins no TLS
  const port = await listening(t, silent);
  const client = new Client({ ...options, url: `https://127.0.0.1:${port}` });
  const call = settled(client.jwsSign('f', {}));
  const socket = await new Promise((resolve) => { silent.once('connection', resolve); });
  const gone = new Promise((resolve) => { socket.resume().once('close', resolve); });
  client.close();
  assert.equal(await call, 'unreachable');
  await gone;
});

test('with new credentials calls under way end with their answers, those that wait go on new connections', async (t) => {
  const dir = directory(t);
  const [cert, key] = [path.join(dir, 'tls.crt'), path.join(dir, 'tls.key')];
  copyFileSync(world.cert, cert);
  copyFileSync(world.key, key);
  const seen = [];
  let held;
  const [ca, ...pair] = [world.ca, world.cert, world.key].map((file) => readFileSync(file));
  const server = https.createServer({ ca, cert: pair[0], key: pair[1], requestCert: true, rejectUnauthorized: true }, async (request, response) => {
    seen.push(request.socket.getPeerCertificate().subject.CN);
    let text = '';
    for await (const part of request) text += part;
    if (text.includes('hold')) held = response;
    else ok(response);
  });
  const port = await listening(t, server);
  const [, servername] = /DNS:([^,]+)/.exec(new X509Certificate(pair[0]).subjectAltName);
  const client = new Client({
    ...options, url: `https://127.0.0.1:${port}`, maxSockets: 1, reloadInterval: 1, tls: { ca: world.ca, cert, key, servername },
  });
  t.after(() => client.close());
  const underway = client.jwsSign('f', { body: 'hold' });
  await until(() => held);
  const { socket } = held;
  copyFileSync(world.stranger.cert, cert);
  copyFileSync(world.stranger.key, key);
  const waiting = [];
  while (seen.at(-1) === seen[0]) { // each call looks at the files, if it is time, and has no connection until they are new
    waiting.push(client.jwsSign('f', {}));
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
  for (const answer of await Promise.all(waiting)) assert.equal(answer.algorithm, 'RS256');
  assert.equal(socket.destroyed, false);
  ok(held);
  assert.equal((await underway).algorithm, 'RS256');
  await until(() => socket.destroyed);
});

test('idle connections keep no process alive, and variables for proxies are not heeded', async (t) => {
  const { requests, server } = await played(t, ok);
  const url = `http://127.0.0.1:${server.address().port}`;
  const script = `
    const { Client } = require(${JSON.stringify(sdk)});
    new Client({ url: '${url}' }).jwsSign('f', {}).then(() => console.log('signed'), console.log);
    setTimeout(() => { console.log('kept alive'); process.exit(1); }, 20_000).unref();`;
  const proxy = 'http://127.0.0.1:1';
  const { code, out } = await run(directory(t), process.execPath, ['-e', script], {
    HTTP_PROXY: proxy, http_proxy: proxy, HTTPS_PROXY: proxy, https_proxy: proxy, NODE_USE_ENV_PROXY: '1', NO_PROXY: '', no_proxy: '',
  });
  assert.deepEqual([code, out, requests.length], [0, 'signed\n', 1]);
});
