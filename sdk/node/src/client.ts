import { Connection } from './connection.js';
import { CpmError, declined, information } from './errors.js';
import type { Answer } from './exchange.js';
import { Gatherer } from './gather.js';
import type { BatchResponse, JWKSet, ProcessRequest, ProcessResponse } from './messages.js';
import { Operations, paths, type OperationName } from './operations.js';
import type { CallOptions, ClientOptions } from './options.js';
import { Retry, wait } from './retry.js';
import { Throttle } from './throttle.js';

/** The outcome of one item of a batch, in the form of Promise.allSettled. */
export type BatchResult =
  | { status: 'fulfilled'; value: Omit<ProcessResponse, 'error'> }
  | { status: 'rejected'; reason: CpmError };

/** These remember what they have seen, if the FSP's policy has a replay window: asked again, they may answer otherwise. */
const remembering: ReadonlySet<OperationName> = new Set<OperationName>(['jwsVerify', 'messageOpen']);

/** A client of one CPM, with a pool of connections. One for a whole process is enough. */
export class Client extends Operations {
  readonly #connection: Connection;
  readonly #retry: Retry;
  readonly #throttle: Throttle | undefined;
  readonly #timeout: number;
  readonly #traceparent: (() => string | undefined) | undefined;
  readonly #gatherer: Gatherer | undefined;

  constructor(options: ClientOptions) {
    super();
    this.#connection = new Connection(options);
    this.#retry = new Retry(options.retries ?? 3);
    if (options.throttle ?? true) this.#throttle = new Throttle();
    this.#timeout = checked(options.timeout ?? 5000);
    this.#traceparent = options.traceparent;
    if (options.gather) this.#gatherer = new Gatherer((path, text, timeout) => this.#post(path, text, timeout), resultsOf);
  }

  /** Ends the connections; calls under way fail. */
  close(): void {
    this.#connection.close();
    this.#throttle?.clear(); // calls that come now are told why
  }

  /** Performs up to 1,000 operations. One that is declined does not touch the others; results have the order of items. */
  async batch(items: readonly ProcessRequest[], options: CallOptions = {}): Promise<BatchResult[]> {
    const repeatable = !items.some((item) => [...remembering].some((name) => name in item));
    const text = JSON.stringify({ items });
    return resultsOf(await this.#repeat((timeout, parent) => this.#post('/v1/batch', text, timeout, parent, options.signal), repeatable, options), items.length);
  }

  /** The OpenAPI document of the CPM. */
  async openapi(options: CallOptions = {}): Promise<Record<string, unknown>> {
    return await this.#get('/openapi.json', options) as Record<string, unknown>;
  }

  /** The public keys of an FSP that this caller may verify with or encrypt for; without an FSP those of the hub. */
  async jwks(fsp?: string, options: CallOptions = {}): Promise<JWKSet> {
    const path = fsp === undefined ? '/.well-known/jwks.json' : pathOf(fsp, 'jwks.json');
    return await this.#get(path, options) as JWKSet;
  }

  protected override async call(operation: OperationName, fsp: string, request: object, options: CallOptions = {}): Promise<unknown> {
    const path = pathOf(fsp, paths[operation]);
    const text = JSON.stringify(request);
    const ask = (timeout: number, parent: string | undefined) => (this.#gatherer && parent === undefined
      ? this.#gatherer.ask({ path, text, operation, itemText: () => `{"fsp":${JSON.stringify(fsp)},"${operation}":${text}}` }, timeout, options.signal)
      : this.#post(path, text, timeout, parent, options.signal));
    const throttle = this.#throttle;
    const once = throttle ? (timeout: number, parent: string | undefined) => throttle.pass(fsp, operation, () => ask(timeout, parent)) : ask;
    return this.#repeat(once, !remembering.has(operation), options);
  }

  async #post(path: string, text: string, timeout: number, traceparent?: string, signal?: AbortSignal): Promise<unknown> {
    return read(await this.#connection.ask({ method: 'POST', path, text, traceparent, timeout, signal }));
  }

  #get(path: string, options: CallOptions): Promise<unknown> {
    const { signal } = options;
    return this.#repeat(async (timeout, traceparent) => read(await this.#connection.ask({
      method: 'GET', path, text: '', traceparent, timeout, signal,
    })), true, options);
  }

  async #repeat(
    once: (timeout: number, traceparent: string | undefined) => Promise<unknown>, repeatable: boolean, options: CallOptions,
  ): Promise<unknown> {
    const { signal, traceparent = this.#traceparent?.() } = options;
    const end = performance.now() + checked(options.timeout ?? this.#timeout);
    this.#retry.began();
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await once(Math.max(1, end - performance.now()), traceparent);
      } catch (error) {
        const pause = this.#retry.pause(error, attempt, repeatable, end - performance.now());
        if (pause === undefined) throw error;
        await wait(pause, signal);
      }
    }
  }
}

/** The outcomes in the answer to a batch. */
function resultsOf(answer: unknown, count: number): BatchResult[] {
  const { results } = answer as BatchResponse;
  if (results?.length !== count) throw new CpmError('protocol', information('2001', 'the answer is not that of a CPM'));
  return results.map(({ error, ...value }) => (error === undefined
    ? { status: 'fulfilled', value }
    : { status: 'rejected', reason: declined(error, {}) }));
}

/** A timeout that timers can have: they take one that is longer for 1 ms. */
function checked(timeout: number): number {
  if (typeof timeout !== 'number' || !(timeout > 0 && timeout < 2 ** 31)) throw new RangeError('timeout is a number of milliseconds above 0, and below 2^31');
  return timeout;
}

/** A path below that of an FSP, whatever the name has in it. */
function pathOf(fsp: string, rest: string): string {
  if (typeof fsp !== 'string' || fsp === '' || fsp === '.' || fsp === '..') throw new TypeError('fsp is the name of the FSP');
  return `/v1/fsps/${encodeURIComponent(fsp)}/${rest}`;
}

/** The result in an answer; a decline is thrown. */
function read({ status, headers, text }: Answer): unknown {
  const requestId = headers['x-request-id'];
  const details = {
    status, requestId: typeof requestId === 'string' ? requestId : undefined, retryAfter: seconds(headers['retry-after']),
  };
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw declined(undefined, details); // the parser's own error would repeat the text
  }
  if (status !== 200 || typeof body !== 'object' || body === null) throw declined(body, details);
  return body;
}

function seconds(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}
