import { createHash } from 'node:crypto';

import { Client } from './client.js';
import { clientOf, type Logger } from './jws.js';
import type { IlpDecodeResponse, IlpFulfilRequest } from './messages.js';
import type { ClientOptions } from './options.js';

export interface IlpOptions {
  /** The client to ask, or the options to make one with. */
  cpm: Client | ClientOptions;
  /** The FSP whose ILP secret is used: the payee's, which answers quotes; for conversions the FXP's. */
  fspId: string;
  logger?: Logger | undefined;
}

/** What an answer to a quote carries (`ilpPacket`, `condition`), and what releases the transfer later. */
export interface IlpResponse {
  ilpPacket: string;
  condition: string;
  fulfilment: string;
}

/** A decoded packet of version 1. */
export interface IlpPacketV1 {
  /** In the smallest unit, as decimal digits. */
  amount: string;
  account: string;
  /** The transaction object, as base64url text. */
  data: Buffer;
}

/** A decoded packet of version 4. */
export interface IlpPacketV4 {
  /** In the smallest unit, as decimal digits. */
  amount: string;
  destination: string;
  expiresAt: Date;
  executionCondition: Buffer;
  /** The transaction object, as base64url text. */
  data: Buffer;
}

const ILP_VERSIONS = Object.freeze({ v1: 'v1', v4: 'v4' } as const);

export type IlpVersion = keyof typeof ILP_VERSIONS;

/** Packets, conditions and fulfilments as the class of @mojaloop/sdk-standard-components makes them, by a secret in the CPM. */
class IlpProcessor {
  readonly version: IlpVersion;
  readonly #cpm: Client;
  readonly #fspId: string;

  constructor(version: IlpVersion, { cpm, fspId }: IlpOptions) {
    if (!Object.hasOwn(ILP_VERSIONS, version)) throw new Error('Unsupported ILP version');
    if (!cpm || !fspId) throw new Error('Invalid ILP options: cpm and fspId are needed');
    this.version = version;
    this.#cpm = clientOf(cpm);
    this.#fspId = fspId;
  }

  /** Makes packet, condition and fulfilment for a transaction object. */
  getResponseIlp(transactionObject: object): Promise<IlpResponse> {
    return this.#fulfil({ transaction: JSON.stringify(transactionObject) });
  }

  /** Makes them for a quote: the bodies of POST /quotes and of the answer to it. */
  getQuoteResponseIlp(quoteRequest: object, quoteResponse: object): Promise<IlpResponse> {
    return this.#fulfil({ quote: { request: JSON.stringify(quoteRequest), response: JSON.stringify(quoteResponse) } });
  }

  /** Makes them for a quote of a conversion. */
  getFxQuoteResponseIlp(fxQuoteRequest: object, fxQuoteResponse: object): Promise<IlpResponse> {
    return this.#fulfil({ fxQuote: { request: JSON.stringify(fxQuoteRequest), response: JSON.stringify(fxQuoteResponse) } });
  }

  /**
   * Computes the fulfilment of a packet again. With the condition that was given away with the packet, secrets that were
   * superseded since are tried too.
   */
  async calculateFulfil(ilpPacket: string, condition?: string): Promise<string> {
    return (await this.#fulfil({ ilpPacket, ...(condition !== undefined && { condition }) })).fulfilment;
  }

  /** The condition that a fulfilment fits. There is no secret in it, so the CPM is not asked. */
  async calculateConditionFromFulfil(fulfilment: string): Promise<string> {
    const preimage = Buffer.from(fulfilment, 'base64url');
    if (preimage.length !== 32) throw new Error('Interledger preimages must be exactly 32 bytes.');
    return createHash('sha256').update(preimage).digest('base64url');
  }

  /** Whether a fulfilment fits a condition. */
  async validateFulfil(fulfilment: string, condition: string): Promise<boolean> {
    if (!fulfilment || !condition) return false;
    return (await this.#cpm.ilpVerify(this.#fspId, { fulfilment, condition })).valid === true;
  }

  /** What a packet says. */
  async decodeIlpPacket(ilpPacket: string): Promise<IlpPacketV1 | IlpPacketV4> {
    const packet = await this.#cpm.ilpDecode(this.#fspId, { ilpPacket });
    const { amount = '0', account = '' } = packet;
    const data = dataOf(packet);
    if (packet.version !== 4) return { amount, account, data };
    return {
      amount, destination: account, data,
      expiresAt: new Date(packet.expiresAt ?? NaN), executionCondition: Buffer.from(packet.condition ?? '', 'base64url'),
    };
  }

  /** The transaction object in a packet. */
  async getTransactionObject(ilpPacket: string): Promise<Record<string, unknown>> {
    const { transaction } = await this.#cpm.ilpDecode(this.#fspId, { ilpPacket });
    if (transaction === undefined) throw new Error('the ILP packet has no transaction object');
    return JSON.parse(transaction) as Record<string, unknown>;
  }

  /** Whether the body of POST /transfers agrees with the packet in it. */
  async validateIlpAgainstTransferRequest(transferRequestBody: { ilpPacket: string }): Promise<boolean> {
    const { ilpPacket } = transferRequestBody;
    return (await this.#cpm.ilpDecode(this.#fspId, { ilpPacket, transfer: JSON.stringify(transferRequestBody) })).agrees === true;
  }

  async #fulfil(request: IlpFulfilRequest): Promise<IlpResponse> {
    const version = this.version === 'v4' ? 4 : 1;
    const { ilpPacket = '', condition = '', fulfilment = '' } = await this.#cpm.ilpFulfil(this.#fspId, { ...request, version });
    return { ilpPacket, condition, fulfilment };
  }
}

/** The content of a packet, in the base64url that stands in it. */
function dataOf({ transaction, data }: IlpDecodeResponse): Buffer {
  return transaction === undefined ? Buffer.from(data ?? '', 'base64') : Buffer.from(Buffer.from(transaction).toString('base64url'));
}

/** The place of `Ilp` of @mojaloop/sdk-standard-components. All methods are asynchronous. */
export const Ilp = {
  ILP_VERSIONS,
  ilpFactory: (version: IlpVersion, options: IlpOptions): IlpProcessor => new IlpProcessor(version, options),
} as const;

export type { IlpProcessor };
