'use strict';

// Takes quotes whose FSPIOP signature is right, and refuses others. Prints the address it listens on.

const http = require('node:http');
const { Client, Jws } = require('@mojaloop-cpm/sdk');

const logger = require('./logger.js');

const { CPM_URL: url, CPM_CA: ca, CPM_CERT: cert, CPM_KEY: key } = process.env;
const validator = new Jws.validator({ logger, cpm: new Client({ url, tls: { ca, cert, key } }) });

async function receive(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  try {
    const body = JSON.parse(Buffer.concat(parts).toString());
    await validator.validate({ headers: request.headers, body });
    response.writeHead(202).end();
  } catch (error) {
    const errorInformation = { errorCode: '3105', errorDescription: 'Invalid signature' };
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ errorInformation }));
  }
}

const server = http.createServer(receive);
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
