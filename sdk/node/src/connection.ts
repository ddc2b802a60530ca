import http from 'node:http';
import https from 'node:https';
import type { SecureContext } from 'node:tls';

import { Credentials } from './credentials.js';
import { CpmError, information } from './errors.js';
import type { ClientOptions, TLSOptions } from './options.js';

/** An answer as it arrived. */
export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

/** What is sent, and how long it may take. */
export interface Question {
  method: 'GET' | 'POST';
  path: string;
  text: string;
  traceparent: string | undefined;
  timeout: number;
  signal: AbortSignal | undefined;
}

/** A connection that ended before the answer began, after it had served an earlier request: the usual fate of idle ones. */
export class LostConnection extends CpmError {}

/** The largest answer taken: that of a full batch. */
const maxAnswer = 64 * 1024 * 1024;

/** Connections are given up before the CPM does it, after 120 s: a request would meet the closing. */
const idle = 60_000;

/** All connections of a pool are alike, so the name that node:https makes of all options for each request is not needed. */
class Pool extends https.Agent {
  override getName(): string {
    return 'cpm';
  }
}

/** The pool of connections to one CPM. */
export class Connection {
  readonly #send: typeof http.request;
  readonly #base: http.RequestOptions;
  readonly #prefix: string;
  readonly #maxSockets: number;
  readonly #servername: string | undefined;
  readonly #credentials: Credentials | undefined;
  readonly #underway = new Set<Exchange>();
  #agent: http.Agent;
  #closed = false;

  constructor(options: ClientOptions) {
    if (!options.url) throw new TypeError('url is needed, such as https://cpm.hub.example:7800');
    const url = new URL(options.url);
    const tls = tlsOf(url, options.tls);
    this.#send = tls ? https.request : http.request;
    this.#base = { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), ...(url.port !== '' && { port: url.port }) };
    this.#prefix = url.pathname.replace(/\/$/, '');
    this.#maxSockets = options.maxSockets ?? 16;
    this.#servername = tls?.servername;
    this.#credentials = tls && new Credentials(tls, options.reloadInterval ?? 10_000);
    this.#agent = this.#pool(this.#credentials?.load());
  }

  #pool(loaded: SecureContext | undefined): http.Agent {
    const options = { keepAlive: true, maxSockets: this.#maxSockets, maxFreeSockets: this.#maxSockets, timeout: idle };
    if (!loaded) return new http.Agent(options);
    // Said here, so that no variable of the environment can switch it off.
    const strict = { rejectUnauthorized: true };
    return new Pool({ ...options, ...strict, secureContext: loaded, ...(this.#servername !== undefined && { servername: this.#servername }) });
  }

  /** Idle connections end, those in use end with their answers. */
  #swap(loaded: SecureContext): void {
    const old = this.#agent;
    this.#agent = this.#pool(loaded);
    retire(old);
  }

  /**
   * Ends all calls and connections. The calls first: an agent that is destroyed still connects for requests that wait in it, and
   * would send them. Agents that were replaced have no connections but those of the calls.
   */
  close(): void {
    this.#closed = true;
    retire(this.#agent);
    for (const exchange of this.#underway) exchange.fail(closed());
    this.#agent.destroy();
  }

  /** Sends one request and gives its answer, whatever its status. */
  ask(question: Question): Promise<Answer> {
    if (this.#closed) return Promise.reject(closed());
    this.#credentials?.look((loaded) => this.#swap(loaded));
    return new Promise((resolve, reject) => new Exchange(this.#open(question), question, resolve, reject, this.#underway));
  }

  #open({ method, path, text, traceparent }: Question): http.ClientRequest {
    const headers: http.OutgoingHttpHeaders = {};
    if (method === 'POST') {
      headers['Content-Type'] = 'application/json';
      headers['Content-Length'] = Buffer.byteLength(text);
    }
    if (traceparent !== undefined) headers['traceparent'] = traceparent;
    const request = this.#send({ ...this.#base, agent: this.#agent, method, headers, path: this.#prefix + path });
    request.end(text);
    return request;
  }
}

/** One request under way. It is settled once; what comes later is not heard. */
class Exchange {
  readonly #request: http.ClientRequest;
  readonly #question: Question;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #underway: Set<Exchange>;
  readonly #timer: NodeJS.Timeout;
  readonly #abort = () => this.fail(this.#question.signal?.reason);
  #begun = false;

  /** It is in `underway` until it is settled. */
  constructor(
    request: http.ClientRequest, question: Question, resolve: (answer: Answer) => void, reject: (reason: unknown) => void, underway: Set<Exchange>,
  ) {
    this.#request = request;
    this.#question = question;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#underway = underway;
    underway.add(this);
    this.#timer = setTimeout(() => this.fail(new CpmError('timeout', information('2004', 'the CPM did not answer in time'))), question.timeout);
    question.signal?.addEventListener('abort', this.#abort);
    request.on('response', (response) => this.#read(response));
    request.on('error', (error) => this.#lost(error));
  }

  #read(response: http.IncomingMessage): void {
    this.#begun = true;
    const parts: Buffer[] = [];
    let size = 0;
    response.on('data', (part: Buffer) => {
      size += part.length;
      if (size > maxAnswer) this.fail(new CpmError('protocol', information('2001', 'the answer is too large')));
      else parts.push(part);
    });
    response.on('end', () => {
      const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      this.#settle();
      this.#resolve({ status: response.statusCode ?? 0, headers: response.headers, text: body.toString('utf8') });
    });
    response.on('error', (error) => this.#lost(error));
  }

  #settle(): void {
    this.#underway.delete(this);
    clearTimeout(this.#timer);
    this.#question.signal?.removeEventListener('abort', this.#abort);
  }

  /** Gives the call up. */
  fail(reason: unknown): void {
    this.#settle();
    this.#reject(reason);
    this.#request.destroy();
  }

  /** Only the code of the error is kept: the rest of it has the request, and so its headers and body, in reach. */
  #lost(error: Error & { code?: string }): void {
    const text = `the CPM cannot be reached (${error.code ?? 'connection lost'})`;
    const kept = { cause: error.code };
    const idleEnded = this.#request.reusedSocket && !this.#begun;
    this.fail(new (idleEnded ? LostConnection : CpmError)('unreachable', information('2003', text), kept));
  }
}

/** Ends the idle connections of an agent; those in use end with their answers. */
function retire(agent: http.Agent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets)) sockets?.forEach((socket) => socket.destroy());
}

function closed(): CpmError {
  return new CpmError('unreachable', information('2003', 'this client is closed'));
}

/** A URL this client may use, with what it needs. */
function tlsOf(url: URL, tls: TLSOptions | undefined): TLSOptions | undefined {
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('url has scheme, host, port and perhaps a path, and nothing else');
  }
  if (url.protocol === 'https:') {
    if (!tls) throw new TypeError('tls is needed with https: ca, cert and key');
    return tls;
  }
  if (url.protocol !== 'http:' || !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) {
    throw new TypeError('url begins with https://; http:// is for a CPM on loopback only');
  }
  if (tls) throw new TypeError('tls is given, but url begins with http://');
  return undefined;
}
