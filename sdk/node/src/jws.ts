import { Client } from './client.js';
import { InvalidSignatureError } from './errors.js';
import type { JwsSignRequest } from './messages.js';
import type { ClientOptions } from './options.js';

/** What the classes use of a logger; that of Mojaloop's services fits. No message, header or key is ever logged. */
export interface Logger {
  child?: ((context: Record<string, unknown>) => unknown) | undefined;
  warn?: ((message: string, context?: Record<string, unknown>) => void) | undefined;
}

export interface SignerOptions {
  /** The client to ask, or the options to make one with. */
  cpm: Client | ClientOptions;
  /** The FSP whose key signs; `fspiop-source` of each message if not given. */
  fspId?: string | undefined;
  /**
   * `sorted`: bodies are put into sorted canonical form, which every generation of the reference library accepts, and
   * written back into the request options. `as-given`: what is signed is the text that was given, or that JSON.stringify
   * makes. If not given: sign() sorts bodies that are objects, getSignature() leaves everything as it is; both as the
   * reference library does.
   */
  body?: 'sorted' | 'as-given' | undefined;
  logger?: Logger | undefined;
}

export interface ValidatorOptions {
  /** The client to ask, or the options to make one with. */
  cpm: Client | ClientOptions;
  logger?: Logger | undefined;
}

/** Request options in the style of axios (`url`, `data`) or request-promise (`uri`, `body`). */
export interface RequestOptions {
  method?: string | undefined;
  uri?: string | undefined;
  url?: string | undefined;
  headers?: Record<string, unknown> | undefined;
  body?: unknown;
  data?: unknown;
}

/** A received request. */
export interface ReceivedRequest {
  headers: Record<string, unknown>;
  /** The parsed body. A string or bytes are taken as the exact text that arrived. */
  body?: unknown;
  data?: unknown;
  /** The exact body that arrived, if it was kept; better than `body`, which had to be written again. */
  rawBody?: string | Uint8Array | undefined;
  /** Method and path with query of the request line. Without them the headers say what they were, as for the reference library. */
  method?: string | undefined;
  uri?: string | undefined;
}

/** A body as a member of a request to the CPM. */
type Content = { body: string } | { bodyBase64: string };

/** The headers that a signature covers. */
const signed = ['fspiop-source', 'fspiop-destination', 'fspiop-encryption', 'date'] as const;

/** Headers that no signature covers and that are nobody else's business. */
const confidential: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

/** Signs requests as the class of the same name of @mojaloop/sdk-standard-components does, and asks the CPM for it. */
class JwsSigner {
  readonly #cpm: Client;
  readonly #fspId: string | undefined;
  readonly #body: SignerOptions['body'];

  constructor({ cpm, fspId, body }: SignerOptions) {
    this.#cpm = clientOf(cpm);
    this.#fspId = fspId;
    this.#body = body;
  }

  /**
   * Adds `fspiop-signature`, `fspiop-uri` and `fspiop-http-method` to the headers of a request that is about to be sent,
   * and writes its body as the text that is signed.
   */
  async sign(requestOptions: RequestOptions): Promise<void> {
    const payload = payloadOf(requestOptions);
    const sorted = this.#body === 'sorted' || (this.#body === undefined && !isExact(payload));
    const answer = await this.#ask(requestOptions, requestOptions.uri || requestOptions.url, sorted);
    Object.assign(requestOptions.headers!, answer.headers);
    if (!isExact(payload) || sorted) write(requestOptions, answer.text);
  }

  /**
   * Gives the text of the header `fspiop-signature`. The caller sends `fspiop-uri` and `fspiop-http-method` itself; they are
   * put right where they are missing or are not what was signed.
   */
  async getSignature(requestOptions: RequestOptions): Promise<string> {
    const { headers } = requestOptions;
    const uri = headers?.['fspiop-uri'] || requestOptions.uri || requestOptions.url;
    const sorted = this.#body === 'sorted';
    const answer = await this.#ask(requestOptions, uri, sorted);
    for (const name of ['fspiop-uri', 'fspiop-http-method']) headers![name] = answer.headers[name];
    if (sorted) write(requestOptions, answer.text);
    return answer.headers['fspiop-signature']!;
  }

  async #ask(requestOptions: RequestOptions, uri: unknown, sorted: boolean): Promise<{ headers: Record<string, string>; text: string }> {
    const payload = payloadOf(requestOptions);
    if (typeof requestOptions.method !== 'string' || typeof uri !== 'string' || !requestOptions.headers) {
      throw new TypeError('Cannot sign without method, uri and headers');
    }
    const given = textual(requestOptions.headers);
    const headers: Record<string, string> = {};
    for (const name of signed) if (given[name]) headers[name] = given[name];
    const request: JwsSignRequest = {
      method: requestOptions.method.toUpperCase(), uri, headers, ...contentOf(payload), form: sorted ? 'sorted' : 'raw',
    };
    const answer = await this.#cpm.jwsSign(this.#fspId ?? headers['fspiop-source'] ?? '', request);
    return { headers: answer.headers ?? {}, text: answer.body ?? Buffer.from(answer.bodyBase64 ?? '', 'base64').toString('utf8') };
  }
}

/** Validates received requests as the class of the same name of @mojaloop/sdk-standard-components does, and asks the CPM. */
class JwsValidator {
  readonly #cpm: Client;
  readonly #logger: Logger | undefined;

  constructor({ cpm, logger }: ValidatorOptions) {
    this.#cpm = clientOf(cpm);
    this.#logger = (logger?.child?.({ component: 'JwsValidator' }) as Logger | undefined) ?? logger;
  }

  /** Gives true, or throws: InvalidSignatureError, or CpmError when the CPM could not judge. */
  async validate(request: ReceivedRequest): Promise<true> {
    const payload = request.rawBody ?? (request.body || request.data);
    if (!payload) throw new Error('Cannot validate JWS without a body');
    const headers = textual(request.headers);
    const source = headers['fspiop-source'];
    const method = request.method ?? headers['fspiop-http-method'];
    const uri = request.uri ?? headers['fspiop-uri'];
    if (!source || !method || !uri) throw this.#refused(new InvalidSignatureError('header-mismatch'), source);
    const verdict = await this.#cpm.jwsVerify(source, { method, uri, headers, ...contentOf(payload) });
    if (verdict.valid !== true) {
      throw this.#refused(new InvalidSignatureError(verdict.reason ?? 'signature-mismatch', verdict.errorInformation), source);
    }
    return true;
  }

  #refused(error: InvalidSignatureError, fspId: string | undefined): InvalidSignatureError {
    this.#logger?.warn?.('FSPIOP signature refused', { fspId, reason: error.reason });
    return error;
  }
}

/** The place of `Jws` of @mojaloop/sdk-standard-components. All methods are asynchronous. */
export const Jws = { signer: JwsSigner, validator: JwsValidator } as const;

// eslint-disable-next-line @typescript-eslint/no-namespace
export namespace Jws {
  export type signer = JwsSigner;
  export type validator = JwsValidator;
}

/** A client of its own, or the one that is given. */
export function clientOf(cpm: Client | ClientOptions): Client {
  if (!cpm) throw new Error('cpm must be supplied: a Client, or the options to make one with');
  return cpm instanceof Client ? cpm : new Client(cpm);
}

function payloadOf({ body, data }: RequestOptions): unknown {
  const payload = body || data;
  if (!payload) throw new Error('Cannot sign with no body');
  return payload;
}

/** Whether a body is given as the text to send. */
function isExact(payload: unknown): payload is string | Uint8Array {
  return typeof payload === 'string' || payload instanceof Uint8Array;
}

function contentOf(payload: unknown): Content {
  if (payload instanceof Uint8Array) return { bodyBase64: Buffer.from(payload).toString('base64') };
  return { body: typeof payload === 'string' ? payload : JSON.stringify(payload) };
}

/** Puts the text where the body was. */
function write(requestOptions: RequestOptions, text: string): void {
  if (requestOptions.body) requestOptions.body = text;
  if (requestOptions.data) requestOptions.data = text;
}

/** Headers as a CPM takes them: names in lower case, texts. */
function textual(headers: Record<string, unknown>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (value === undefined || value === null || confidential.has(lower)) continue;
    out[lower] = Array.isArray(value) ? value.join(', ') : String(value);
  }
  return out;
}
