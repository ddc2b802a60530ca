'use strict';

// The drop-in ILP classes, against the library they take the place of.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Ilp } = require('..');
const { client, options, reference, silent, world } = require('./world.js');

const party = (fspId, partyIdentifier) => ({ partyIdInfo: { partyIdType: 'MSISDN', partyIdentifier, fspId }, name: 'Zoë <&>' });

const transaction = {
  transactionId: 't1', quoteId: 'q1', payee: party('payeefsp', '15295558888'), payer: party('payerfsp', '27713803912'),
  amount: { currency: 'USD', amount: '100.5' }, transactionType: { scenario: 'TRANSFER', initiator: 'PAYER', initiatorType: 'CONSUMER' },
  expiration: '2026-11-22T09:00:00.123Z',
};

const quoteRequest = { ...transaction, amount: { currency: 'USD', amount: '99' }, amountType: 'SEND' };
const quoteResponse = { transferAmount: transaction.amount, expiration: transaction.expiration, note: 'thanks' };

const fxQuoteRequest = { conversionRequestId: 'c1' };
const fxQuoteResponse = {
  conversionTerms: {
    conversionId: 'c2', initiatingFsp: 'payerfsp', counterPartyFsp: 'fxp1', amountType: 'SEND',
    sourceAmount: { currency: 'XXX', amount: '10' }, targetAmount: { currency: 'XTS', amount: '20' }, expiration: transaction.expiration,
  },
};

const transferOf = (ilpPacket) => ({ transferId: 'x', payerFsp: 'payerfsp', payeeFsp: 'payeefsp', amount: transaction.amount, ilpPacket });

for (const version of Object.values(Ilp.ILP_VERSIONS)) {
  const theirs = reference('c').Ilp.ilpFactory(version, { secret: world.ilpSecret, logger: silent });

  test(`${version}: packets, conditions and fulfilments are those of the library`, async (t) => {
    const ours = Ilp.ilpFactory(version, { cpm: client(t), fspId: 'payeefsp', logger: silent });
    assert.equal(ours.version, theirs.version);
    for (const [method, ...args] of [
      ['getResponseIlp', transaction], ['getQuoteResponseIlp', quoteRequest, quoteResponse], ['getFxQuoteResponseIlp', fxQuoteRequest, fxQuoteResponse],
    ]) {
      const made = await ours[method](...args);
      assert.deepEqual(made, theirs[method](...args), method);
      assert.equal(await ours.calculateFulfil(made.ilpPacket), made.fulfilment);
      assert.equal(await ours.calculateFulfil(made.ilpPacket, made.condition), made.fulfilment);
      assert.equal(await ours.calculateConditionFromFulfil(made.fulfilment), made.condition);
      assert.deepEqual(await ours.decodeIlpPacket(made.ilpPacket), plain(theirs.decodeIlpPacket(made.ilpPacket)), method);
      assert.deepEqual(await ours.getTransactionObject(made.ilpPacket), theirs.getTransactionObject(made.ilpPacket));
    }
  });

  test(`${version}: fulfilments and transfers are judged as by the library`, async (t) => {
    const ours = Ilp.ilpFactory(version, { cpm: client(t), fspId: 'payeefsp' });
    const { ilpPacket, condition, fulfilment } = await ours.getResponseIlp(transaction);
    for (const [f, c] of [[fulfilment, condition], [condition, condition], [fulfilment, fulfilment], ['x', condition], ['', '']]) {
      assert.equal(await ours.validateFulfil(f, c), theirs.validateFulfil(f, c), `${f} ${c}`);
    }
    const transfer = transferOf(ilpPacket);
    for (const change of [{}, { payerFsp: 'x' }, { payeeFsp: 'x' }, { amount: { currency: 'EUR', amount: '100.5' } }, { amount: { currency: 'USD', amount: '100.50' } }]) {
      const body = { ...transfer, ...change };
      assert.equal(await ours.validateIlpAgainstTransferRequest(body), theirs.validateIlpAgainstTransferRequest(body), JSON.stringify(change));
    }
  });
}

// Numbers of the library are texts or objects of its own.
function plain(packet) {
  return { ...packet, amount: String(packet.amount) };
}

test('a condition that no secret gives is declined', async (t) => {
  const ilp = Ilp.ilpFactory('v1', { cpm: client(t), fspId: 'payeefsp' });
  const { ilpPacket } = await ilp.getResponseIlp(transaction);
  await assert.rejects(ilp.calculateFulfil(ilpPacket, 'A'.repeat(43)), { name: 'CpmError' });
});

test('what cannot be is refused at once', async (t) => {
  assert.throws(() => Ilp.ilpFactory('v2', { cpm: options, fspId: 'payeefsp' }), /Unsupported ILP version/);
  assert.throws(() => Ilp.ilpFactory('v1', { cpm: options }), /Invalid ILP options/);
  const ilp = Ilp.ilpFactory('v4', { cpm: client(t), fspId: 'payeefsp' });
  await assert.rejects(ilp.calculateConditionFromFulfil('short'), /32 bytes/);
  await assert.rejects(ilp.decodeIlpPacket('nothing'), { kind: 'invalid' });
});
