'use strict';

// What npm would publish, as others get it.

const assert = require('node:assert/strict');
const { mkdirSync, readdirSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { before, test } = require('node:test');

const { directory, install, run, sdk } = require('./temporary.js');

const manifest = JSON.parse(readFileSync(path.join(sdk, 'package.json')));

// Directories with the package out of its tarball, what it says it needs, and nothing else in reach.
let tarball;
let fields;

before(async (t) => {
  const dir = directory(t);
  const { code, out } = await run(sdk, 'npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', dir]);
  assert.equal(code, 0, out);
  [fields] = JSON.parse(out.slice(out.indexOf('[\n')));
  tarball = path.join(dir, fields.filename);
});

async function consumer(t) {
  const dir = directory(t);
  const place = path.join(dir, 'node_modules', manifest.name);
  mkdirSync(place, { recursive: true });
  const { code, out } = await run(place, 'tar', ['xzf', tarball, '--strip-components=1']);
  assert.equal(code, 0, out);
  for (const name of Object.keys(manifest.dependencies)) install(dir, name, path.join(sdk, 'node_modules', name));
  return dir;
}

test('the package has the built files of every source, the patch, its licence and its description, and nothing else', () => {
  const built = readdirSync(path.join(sdk, 'src')).flatMap((name) => {
    const [, base, letter] = /^(.*)\.(m?)ts$/.exec(name);
    return [`dist/${base}.${letter}js`, `dist/${base}.d.${letter}ts`];
  });
  const patches = readdirSync(path.join(sdk, 'patches')).map((name) => `patches/${name}`);
  assert.deepEqual(fields.files.map((f) => f.path).sort(), [...built, ...patches, 'LICENSE', 'README.md', 'package.json'].sort());
  assert.equal(readFileSync(path.join(sdk, 'LICENSE'), 'utf8'), readFileSync(path.join(sdk, '../../LICENSE'), 'utf8'));
});

test('the package needs one other, which needs none, and says what it needs', () => {
  for (const kind of ['peerDependencies', 'optionalDependencies', 'bundledDependencies']) assert.equal(manifest[kind], undefined);
  assert.deepEqual(Object.keys(manifest.dependencies), ['undici']);
  const undici = JSON.parse(readFileSync(path.join(sdk, 'node_modules/undici/package.json')));
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) assert.equal(undici[kind], undefined);
  assert.deepEqual([undici.license, manifest.engines], ['MIT', undici.engines]);
  assert.equal(manifest.license, 'Apache-2.0');
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) assert.equal(manifest.scripts[script], undefined);
});

test('what it needs and what builds it is locked, without a registry\'s address, and is in docs/dependencies.md', () => {
  const lock = readFileSync(path.join(sdk, 'package-lock.json'), 'utf8');
  assert.doesNotMatch(lock, /resolved|https?:/);
  for (const [name, entry] of Object.entries(JSON.parse(lock).packages)) if (name !== '') assert.match(entry.integrity, /^sha512-/, name);
  const document = readFileSync(path.join(sdk, '../../docs/dependencies.md'), 'utf8');
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is pinned`);
    assert.ok(document.includes(`| \`${name}\` | ${version} |`), `${name} ${version} has a row`);
  }
});

test('import and require give the same objects', async (t) => {
  const dir = await consumer(t);
  const names = ['Client', 'CpmError', 'Ilp', 'InvalidSignatureError', 'Jws', 'kinds'];
  writeFileSync(path.join(dir, 'both.mjs'), `
    import assert from 'node:assert/strict';
    import { createRequire } from 'node:module';
    import * as imported from '${manifest.name}';
    const required = createRequire(import.meta.url)('${manifest.name}');
    assert.deepEqual(Object.keys(imported).sort(), ${JSON.stringify(names)});
    assert.deepEqual(Object.keys(required).sort(), ${JSON.stringify(names)});
    for (const name of ${JSON.stringify(names)}) assert.equal(imported[name], required[name]);
    assert.equal(typeof imported.Client.prototype.jwsSign, 'function');
  `);
  const { code, out } = await run(dir, process.execPath, ['both.mjs']);
  assert.equal(code, 0, out);
});

test('loading the package changes nothing for the fetch of the process', async (t) => {
  const dir = await consumer(t);
  writeFileSync(path.join(dir, 'loads.js'), `
    const global = () => Reflect.ownKeys(globalThis).map(String).sort().join();
    const before = global();
    const { Client } = require('${manifest.name}');
    new Client({ url: 'http://localhost' }).jwsSign('f', {}).catch(() => {}).then(() => console.log(global() === before));
  `);
  const { code, out } = await run(dir, process.execPath, ['loads.js']);
  assert.deepEqual([code, out], [0, 'true\n']);
});

test('types are found for import and for require, and know what is wrong', async (t) => {
  const dir = await consumer(t);
  install(dir, '@types/node', path.join(sdk, 'node_modules/@types/node'));
  const use = `
    const options: ClientOptions = { url: 'https://cpm.example:7800', tls: { ca: 'a', cert: Buffer.from('c'), key: 'k' } };
    const cpm = new Client(options);
    export async function sign(): Promise<string | undefined> {
      const answer: JwsSignResponse = await cpm.jwsSign('payerfsp', { method: 'POST', uri: '/quotes', headers: {}, body: '{}' });
      const signer: Jws.signer = new Jws.signer({ cpm, fspId: 'payerfsp', logger: { warn() {} } });
      const header: string = await signer.getSignature({ method: 'POST', url: '/quotes', headers: {}, data: {} });
      const ilp = Ilp.ilpFactory(Ilp.ILP_VERSIONS.v4, { cpm, fspId: 'payeefsp' });
      if (await ilp.validateFulfil('f', 'c')) return header;
      for (const r of await cpm.batch([{ fsp: 'payerfsp', random: { length: 8 } }])) {
        if (r.status === 'rejected' && r.reason instanceof CpmError && r.reason.kind === 'busy') return r.reason.code;
      }
      return answer.body;
    }
    // @ts-expect-error a member that no operation has
    void cpm.jwsSign('payerfsp', { payload: '{}' });
    // @ts-expect-error without await it is not a text
    export const text: string = new Jws.signer({ cpm }).getSignature({});
    // @ts-expect-error the private key is not given any more
    new Jws.signer({ signingKey: 'PEM' });
  `;
  const names = 'Client, CpmError, Ilp, Jws, type ClientOptions, type JwsSignResponse';
  writeFileSync(path.join(dir, 'imports.mts'), `import { ${names} } from '${manifest.name}';\n${use}`);
  writeFileSync(path.join(dir, 'requires.cts'), `import { ${names} } from '${manifest.name}';\n${use}`);
  const tsc = path.join(sdk, 'node_modules/typescript/bin/tsc');
  const common = ['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--types', 'node', '--target', 'es2022', '--lib', 'es2022'];
  for (const [files, ...flags] of [
    [['imports.mts', 'requires.cts'], '--module', 'node16'],
    [['requires.cts'], '--module', 'commonjs', '--moduleResolution', 'node10', '--skipLibCheck'],
  ]) {
    const { code, out } = await run(dir, process.execPath, [tsc, ...common, ...flags, ...files]);
    assert.equal(code, 0, `${flags}: ${out}`);
  }
});
