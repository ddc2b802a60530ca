'use strict';

// One JSON request per line on stdin, one JSON answer per line on stdout, in
// the order asked. README.md has the protocol.

const { writeSync } = require('node:fs');

// The library installs winston exception handlers that never end the process:
// with a closed pipe they log the failure to log until memory ends. Ours is
// there first and leaves.
process.on('uncaughtException', (error) => {
  try { writeSync(2, `${error.stack}\n`); } catch { /* nobody listens */ }
  process.exit(1);
});
process.setMaxListeners(0); // every copy of the library's logger adds its own
process.stdout.on('error', () => process.exit(1));
process.stderr.on('error', () => process.exit(1));

// stdout carries answers only; whatever the library prints goes to stderr.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const { load, operations } = require('./sdk.js');

function answer(line) {
  let id;
  try {
    const request = JSON.parse(line);
    id = request.id;
    if (!Object.hasOwn(operations, request.op)) throw new Error(`op is one of ${Object.keys(operations)}`);
    return { id, ...operations[request.op](request) };
  } catch (error) {
    return { id, error: error.message };
  }
}

load();

// Not node:readline: it also ends a line at U+2028 and U+2029, which bodies
// may contain.
let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) write(`${JSON.stringify(answer(line))}\n`);
});
process.stdin.on('end', () => process.exit(0));
