'use strict';

// Takes quotes whose FSPIOP signature is right, and refuses others. Prints the address it listens on.

const { readFileSync } = require('node:fs');
const http = require('node:http');
const { Jws } = require('@mojaloop/sdk-standard-components');

const logger = require('./logger.js');

const validator = new Jws.validator({ logger, validationKeys: { payerfsp: readFileSync(process.env.JWS_PAYERFSP_KEY) } });

async function receive(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  try {
    const body = JSON.parse(Buffer.concat(parts).toString());
    validator.validate({ headers: request.headers, body });
    response.writeHead(202).end();
  } catch (error) {
    const errorInformation = { errorCode: '3105', errorDescription: 'Invalid signature' };
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ errorInformation }));
  }
}

const server = http.createServer(receive);
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
