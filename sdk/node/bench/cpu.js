'use strict';

// CPU of this process for each message, by the CPM and in process with the reference library. Started by
// CPM_MEASURE=1 go test ./test/node -run TestMeasure -v

const { readFileSync } = require('node:fs');
const path = require('node:path');

const { Client, Jws } = require('..');

const world = JSON.parse(process.env.CPM_TEST_WORLD);
const reference = require(path.join(world.reference, 'sdk-c')).Jws;
const silent = { isDebugEnabled: false, child: () => silent, debug() {}, verbose() {}, info() {}, warn() {}, error() {} };

const cpm = new Client({ url: world.url, tls: { ca: world.ca, cert: world.cert, key: world.key, servername: 'localhost' }, timeout: 60_000 });
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
  const ours = { signer: new Jws.signer({ cpm }), validator: new Jws.validator({ cpm }) };
  const signed = request(fsp);
  theirs.signer.sign(signed);
  const received = { headers: signed.headers, body: JSON.parse(signed.data) };
  return {
    sign: [() => theirs.signer.sign(request(fsp)), () => ours.signer.sign(request(fsp))],
    verify: [() => theirs.validator.validate(received), () => ours.validator.validate(received)],
  };
}

const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const range = (list) => `${Math.round(middle(list))} (${Math.round(Math.min(...list))}–${Math.round(Math.max(...list))})`;

async function main() {
  console.log(`| key | what | in process, µs | by the CPM, ${sixteen} at a time, µs | in process ÷ CPM |\n| --- | --- | --- | --- | --- |`);
  for (const [fsp, algorithm] of [['payerfsp', 'RS256, RSA-2048'], ['payeefsp', 'ES256']]) {
    for (const [what, [theirs, ours]] of Object.entries(cases(fsp))) {
      const all = { theirs: [], ours: [], ratio: [] };
      await cpu(ours, sixteen); // compiled, connected
      await cpu(theirs, 1);
      for (let i = 0; i < rounds; i++) {
        all.theirs.push(await cpu(theirs, 1));
        all.ours.push(await cpu(ours, sixteen));
        all.ratio.push(all.theirs[i] / all.ours[i]);
      }
      const ratios = `${middle(all.ratio).toFixed(1)} (${Math.min(...all.ratio).toFixed(1)}–${Math.max(...all.ratio).toFixed(1)})`;
      console.log(`| ${algorithm} | ${what} | ${range(all.theirs)} | ${range(all.ours)} | ${ratios} |`);
    }
  }
  cpm.close();
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
