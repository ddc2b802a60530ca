'use strict';

// Sends a quote to the address given, with an FSPIOP signature:
//
//   node sender.js http://127.0.0.1:3000

const { randomUUID } = require('node:crypto');
const { readFileSync } = require('node:fs');
const http = require('node:http');
const { Jws } = require('@mojaloop/sdk-standard-components');

const logger = require('./logger.js');

const signer = new Jws.signer({ logger, signingKey: readFileSync(process.env.JWS_SIGNING_KEY, 'utf8') });

async function sendQuote(address) {
  const request = {
    method: 'POST',
    url: `${address}/quotes`,
    headers: {
      'content-type': 'application/vnd.interoperability.quotes+json;version=1.1',
      date: new Date().toUTCString(),
      'fspiop-source': 'payerfsp',
      'fspiop-destination': 'payeefsp',
    },
    data: { quoteId: randomUUID(), transactionId: randomUUID(), amountType: 'SEND', amount: { currency: 'XXX', amount: '12.50' } },
  };
  signer.sign(request);
  return send(request);
}

function send({ method, url, headers, data }) {
  return new Promise((resolve, reject) => {
    http.request(url, { method, headers }, (response) => resolve(response.resume().statusCode)).on('error', reject).end(data);
  });
}

sendQuote(process.argv[2]).then((status) => {
  console.log(status);
  process.exit(status === 202 ? 0 : 1);
}, (error) => {
  console.error(error.message);
  process.exit(1);
});
