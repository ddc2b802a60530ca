'use strict';

// What the tests share: the CPM that `go test ./test/node` started for them, and a server that plays a CPM.

const http = require('node:http');
const path = require('node:path');

const { Client } = require('..');

if (!process.env.CPM_TEST_WORLD) throw new Error('run the suite with: go test ./test/node');
const world = JSON.parse(process.env.CPM_TEST_WORLD);

const options = { url: world.url, tls: { ca: world.ca, cert: world.cert, key: world.key, servername: 'localhost' }, timeout: 30_000 };

// A client of the running CPM that ends with the test.
function client(t, more = {}) {
  const c = new Client({ ...options, ...more });
  t.after(() => c.close());
  return c;
}

// A client of a server that answers as `answer(response, body, count, request)` does.
async function played(t, answer, more = {}) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      requests.push({ method: request.method, url: request.url, headers: request.headers, body });
      answer(response, body, requests.length, request);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const c = new Client({ url: `http://127.0.0.1:${server.address().port}`, timeout: 10_000, ...more });
  t.after(() => { c.close(); server.closeAllConnections(); server.close(); });
  return { client: c, requests, server };
}

function decline(response, status, kind, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'R1', ...headers });
  response.end(JSON.stringify({
    errorInformation: {
      errorCode: '2005', errorDescription: 'Server busy - too much is waiting', extensionList: { extension: [{ key: 'kind', value: kind }] },
    },
    requestId: 'R1',
  }));
}

function json(response, body) {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

// A generation of the reference library: 'a', 'b' or 'c'. Its logger takes uncaught exceptions and goes on, so that a test file
// that failed would pass; its handlers are taken away again.
function reference(generation) {
  const events = ['uncaughtException', 'unhandledRejection'];
  const before = events.map((event) => process.listeners(event));
  const library = require(path.join(world.reference, `sdk-${generation}`));
  events.forEach((event, i) => {
    for (const listener of process.listeners(event)) if (!before[i].includes(listener)) process.removeListener(event, listener);
  });
  return library;
}

// What the reference library insists on.
const silent = { isDebugEnabled: false, child: () => silent, debug() {}, verbose() {}, info() {}, warn() {}, error() {} };

function quote() {
  return {
    method: 'POST', url: 'http://switch.example/fspiop/quotes',
    headers: { 'fspiop-source': 'payerfsp', 'fspiop-destination': 'payeefsp', date: new Date().toUTCString(), accept: 'x' },
    data: { quoteId: 'q1', payer: { name: 'Zoë & <b>', id: '5' }, amount: { currency: 'XXX', amount: '1.50' }, list: [3, 1.5e3, null] },
  };
}

module.exports = { world, options, client, played, decline, json, reference, silent, quote };
