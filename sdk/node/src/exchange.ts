import type { Dispatcher } from 'undici';

import { CpmError, information } from './errors.js';
import type { Line } from './line.js';

/** An answer as it arrived. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** How long a request may take, and who may end it before. */
export interface Patience {
  timeout: number;
  signal: AbortSignal | undefined;
}

/** Who gives an exchange its connection, and is told when it has ended: with a whole answer, or without. */
export interface Owner {
  ended(exchange: Exchange, whole: boolean): void;
}

/** A connection that ended before the answer began, after it had served an earlier request: the usual fate of idle ones. */
export class LostConnection extends CpmError {}

/** The largest answer taken: that of a full batch. */
const maxAnswer = 64 * 1024 * 1024;

/** One request and its answer, as undici reports it. It is settled once; what comes later is not heard. */
export class Exchange implements Dispatcher.DispatchHandler {
  /** The connection it is on; none while it waits for one. */
  line: Line | undefined;
  readonly request: Dispatcher.DispatchOptions;
  readonly #owner: Owner;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #abort: (() => void) | undefined;
  readonly #parts: Buffer[] = [];
  #size = 0;
  #status = 0;
  #headers: Answer['headers'] = {};
  #reused = false;
  #settled = false;

  constructor(
    request: Dispatcher.DispatchOptions, { timeout, signal }: Patience, owner: Owner, resolve: (answer: Answer) => void, reject: (reason: unknown) => void,
  ) {
    this.request = request;
    this.#owner = owner;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.fail(new CpmError('timeout', information('2004', 'the CPM did not answer in time'))), timeout);
    if (!signal) return;
    this.#signal = signal;
    this.#abort = () => this.fail(signal.reason);
    signal.addEventListener('abort', this.#abort);
  }

  /** The request is about to be written: undici has connected before, or again. */
  onRequestStart(): void {
    this.#reused = this.line!.served;
  }

  /** Also called for what a server says ahead of its answer; the last one counts. */
  onResponseStart(_: unknown, status: number, headers: Answer['headers']): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_: unknown, part: Buffer): void {
    this.#size += part.length;
    if (this.#size > maxAnswer) this.fail(new CpmError('protocol', information('2001', 'the answer is too large')));
    else this.#parts.push(part);
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    this.#settle();
    this.#owner.ended(this, true);
    const body = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#resolve({ status: this.#status, headers: this.#headers, text: body.toString('utf8') });
  }

  /** Only the code of the error is kept: the rest of it may have parts of the answer in reach. */
  onResponseError(_: unknown, error: Error & { code?: string }): void {
    const code = error.code === 'UND_ERR_SOCKET' ? 'ECONNRESET' : error.code; // closed in good order or not: all the same here
    const text = `the CPM cannot be reached (${code ?? 'connection lost'})`;
    const idleEnded = this.#reused && this.#status === 0;
    this.fail(new (idleEnded ? LostConnection : CpmError)('unreachable', information('2003', text), { cause: code }));
  }

  /** Gives the call up. */
  fail(reason: unknown): void {
    if (this.#settled) return;
    this.#settle();
    this.#reject(reason);
    this.#owner.ended(this, false);
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
    if (this.#abort) this.#signal!.removeEventListener('abort', this.#abort);
  }
}
