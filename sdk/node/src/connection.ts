import { validateHeaderValue } from 'node:http';
import { connect as connectTCP, isIP } from 'node:net';
import { connect as connectTLS, type SecureContext } from 'node:tls';

import { Credentials } from './credentials.js';
import { CpmError, information } from './errors.js';
import { Exchange, type Answer, type Patience } from './exchange.js';
import type { Dial } from './line.js';
import type { ClientOptions, TLSOptions } from './options.js';
import { Pool } from './pool.js';

/** What is sent, and how long it may take. */
export interface Question extends Patience {
  method: 'GET' | 'POST';
  path: string;
  text: string;
  traceparent: string | undefined;
}

/** The headers of most requests, by name and value; those of the protocol are undici's. */
const json = ['content-type', 'application/json'];

/** Where connections go to. */
interface Place {
  host: string;
  port: number;
}

/** The connections to one CPM. */
export class Connection {
  readonly #place: Place;
  readonly #prefix: string;
  readonly #servername: string;
  readonly #credentials: Credentials | undefined;
  readonly #pool: Pool;
  readonly #renew = (loaded: SecureContext): void => this.#pool.renew(this.#dial(loaded));
  #closed = false;

  constructor(options: ClientOptions) {
    if (!options.url) throw new TypeError('url is needed, such as https://cpm.hub.example:7800');
    const url = new URL(options.url);
    const tls = tlsOf(url, options.tls);
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    this.#place = { host, port: Number(url.port || (tls ? 443 : 80)) };
    this.#prefix = url.pathname.replace(/\/$/, '');
    this.#servername = tls?.servername ?? (isIP(host) ? '' : host);
    this.#credentials = tls && new Credentials(tls, options.reloadInterval ?? 10_000);
    this.#pool = new Pool(url.origin, options.maxSockets ?? 16, this.#dial(this.#credentials?.load()));
  }

  /** How to connect, with these credentials. Sessions are theirs: one that is resumed is that of the certificate it began with. */
  #dial(secureContext: SecureContext | undefined): Dial {
    if (!secureContext) return () => connectTCP(this.#place);
    let session: Buffer | undefined;
    return () => {
      const socket = connectTLS({
        ...this.#place, secureContext, session, servername: this.#servername, ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: true, // said here, so that no variable of the environment can switch it off
      });
      socket.on('session', (fresh) => { session = fresh; });
      socket.once('close', (failed) => { if (failed) session = undefined; });
      return socket;
    };
  }

  /** Ends all calls and connections. */
  close(): void {
    this.#closed = true;
    this.#pool.close(closed);
  }

  /** Sends one request and gives its answer, whatever its status. */
  ask({ method, path, text, traceparent, timeout, signal }: Question): Promise<Answer> {
    if (this.#closed) return Promise.reject(closed());
    this.#credentials?.look(this.#renew);
    return new Promise((resolve, reject) => {
      if (traceparent !== undefined) validateHeaderValue('traceparent', traceparent);
      const common = method === 'POST' ? json : [];
      const headers = traceparent === undefined ? common : [...common, 'traceparent', traceparent];
      const request = { method, path: this.#prefix + path, headers, body: text };
      this.#pool.perform(new Exchange(request, { timeout, signal }, this.#pool, resolve, reject));
    });
  }
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
