'use strict';

// CPU of this process for each message, by the CPM and in process with the reference library. Started by
// CPM_MEASURE=1 go test ./test/node -run TestMeasure -v

const { readFileSync } = require('node:fs');
const path = require('node:path');

const { Client, Jws } = require('..');

const world = JSON.parse(process.env.CPM_TEST_WORLD);
const reference = require(path.join(world.reference, 'sdk-c')).Jws;
const silent = { isDebugEnabled: false, child: () => silent, debug() {}, verbose() {}, info() {}, warn() {}, error() {} };

const options = { url: world.url, tls: { ca: world.ca, cert: world.cert, key: world.key, servername: 'localhost' }, timeout: 60_000 };
const clients = [new Client(options), new Client({ ...options, gather: true })];
const rounds = 5;
const sixteen = 16;
const messages = Number(process.env.CPM_MESSAGES ?? 1500);

const { headers, bodyText } = JSON.parse(readFileSync(path.join(__dirname, '../../../test/interop/node/messages.json')))
  .find((m) => m.uri === '/quotes' && m.headers['fspiop-source'] === 'payerfsp');
const request = (fsp) => ({ method: 'POST', url: 'http://switch/quotes', headers: { ...headers, 'fspiop-source': fsp }, data: JSON.parse(bodyText) });

// Does `each` for all messages, so many at a time; gives µs of user and system time a message.
async function cpu(each, atOnce) {
  const before = process.cpuUsage();
  let left = messages;
  await Promise.all(Array.from({ length: atOnce }, async () => { while (left-- > 0) await each(); }));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / messages;
}

function cases(fsp) {
  const signingKey = readFileSync(path.join(world.keys, `${fsp}.key`), 'utf8');
  const validationKeys = { [fsp]: readFileSync(path.join(world.keys, `${fsp}.pem`)) };
  const theirs = { signer: new reference.signer({ logger: silent, signingKey }), validator: new reference.validator({ logger: silent, validationKeys }) };
  const ours = clients.map((cpm) => ({ signer: new Jws.signer({ cpm }), validator: new Jws.validator({ cpm }) }));
  const signed = request(fsp);
  theirs.signer.sign(signed);
  const received = { headers: signed.headers, body: JSON.parse(signed.data) };
  return {
    sign: [() => theirs.signer.sign(request(fsp)), ...ours.map(({ signer }) => () => signer.sign(request(fsp)))],
    verify: [() => theirs.validator.validate(received), ...ours.map(({ validator }) => () => validator.validate(received))],
  };
}

const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const range = (list, digits) => {
  const [mid, least, most] = [middle(list), Math.min(...list), Math.max(...list)].map((n) => n.toFixed(digits));
  return `${mid} (${least}–${most})`;
};

async function main() {
  console.log(`${rounds} rounds of ${messages} messages of ${bodyText.length} bytes each, ${sixteen} under way at a time; median (least–most)`);
  console.log('| key | what | in process, µs | by the CPM, µs | gathered, µs | in process ÷ CPM | in process ÷ gathered |\n| --- | --- | --- | --- | --- | --- | --- |');
  for (const [fsp, algorithm] of [['payerfsp', 'RS256, RSA-2048'], ['payeefsp', 'ES256']]) {
    for (const [what, ways] of Object.entries(cases(fsp))) {
      const times = ways.map(() => []);
      for (let i = -1; i < rounds; i++) { // the first is to connect and to compile
        for (const [n, way] of ways.entries()) {
          const time = await cpu(way, n === 0 ? 1 : sixteen);
          if (i >= 0) times[n].push(time);
        }
      }
      const ratios = times.slice(1).map((list) => list.map((time, i) => times[0][i] / time)).map((list) => range(list, 1));
      console.log(`| ${[algorithm, what, ...times.map((list) => range(list, 0)), ...ratios].join(' | ')} |`);
    }
  }
  for (const cpm of clients) cpm.close();
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
