import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

import type { Client as HTTPClient, buildConnector } from 'undici';

import type { Exchange } from './exchange.js';

/** Not from undici's entry point: that one also puts an agent of its own under the `fetch` of the whole process. */
const Client = require('undici/lib/dispatcher/client.js') as typeof HTTPClient;

/** Connections are given up before the CPM does it, after 120 s: a request would meet the closing. */
const idle = 60_000;

/** Exchanges have their own time, with everything in it. */
const never = 0;

/** Begins to connect. */
export type Dial = () => Socket;

/** One connection at a time, made when there is something to send, and the exchanges on it, one after the other. */
export class Line {
  /** With what it connects. */
  readonly dial: Dial;
  /** What is under way. */
  exchange: Exchange | undefined;
  /** Whether an exchange has ended well on the connection of the moment. */
  served = false;
  readonly #client: HTTPClient;
  #socket: Socket | undefined;

  constructor(origin: string, dial: Dial) {
    this.dial = dial;
    this.#client = new Client(origin, {
      connect: (_, connected) => this.#connect(connected),
      pipelining: 1,
      keepAliveTimeout: idle, keepAliveMaxTimeout: idle, headersTimeout: never, bodyTimeout: never,
    });
  }

  carry(exchange: Exchange): void {
    this.exchange = exchange;
    exchange.line = this;
    this.#client.dispatch(exchange.request, exchange);
  }

  /** Ends the connection, also one that is not made yet. What is under way is not told. */
  destroy(): void {
    void this.#client.destroy();
    this.#socket?.destroy();
  }

  #connect(connected: buildConnector.Callback): void {
    this.served = false;
    const socket = this.dial();
    this.#socket = socket;
    const failed = (error: Error): void => connected(error, null);
    socket.setNoDelay(true).setKeepAlive(true, 1000).once('error', failed);
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
      socket.off('error', failed); // from now on undici listens
      connected(null, socket);
    });
  }
}
