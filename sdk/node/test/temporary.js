'use strict';

// Programs in directories of their own, as somebody else's service would run them.

const { spawn } = require('node:child_process');
const { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const sdk = path.join(__dirname, '..');

// A directory that is gone after the test.
function directory(t) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'cpm-sdk-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

// Puts a package into the node_modules of a directory: a link, or a copy that can be changed.
function install(dir, name, from, copied = false) {
  const place = path.join(dir, 'node_modules', name);
  mkdirSync(path.dirname(place), { recursive: true });
  if (copied) cpSync(from, place, { recursive: true });
  else symlinkSync(from, place);
}

// Runs a program; gives its exit code and all it printed.
function run(dir, command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: dir, env: { ...process.env, ...env } });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { out += text; });
    child.on('error', reject).on('close', (code) => resolve({ code, out }));
  });
}

// Starts a program that ends with the test; gives the first line it prints.
function start(t, dir, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: dir, env: { ...process.env, ...env } });
    t.after(() => child.kill());
    let out = '';
    child.stdout.on('data', (text) => {
      out += text;
      if (out.includes('\n')) resolve(out.slice(0, out.indexOf('\n')));
    });
    child.stderr.on('data', (text) => { out += text; });
    child.on('error', reject).on('close', (code) => reject(new Error(`${args} ended with ${code}: ${out}`)));
  });
}

module.exports = { sdk, directory, install, run, start };
