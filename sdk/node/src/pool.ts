import type { Exchange, Owner } from './exchange.js';
import { Line, type Dial } from './line.js';

/** The connections to one place, and the exchanges that wait for one. The connection that was used last is used next. */
export class Pool implements Owner {
  readonly #origin: string;
  readonly #most: number;
  readonly #waiting = new Set<Exchange>();
  readonly #lines = new Set<Line>();
  readonly #idle: Line[] = [];
  #dial: Dial;
  /** Connections made with the dial of now; those with an earlier one end with their answers. */
  #open = 0;

  constructor(origin: string, most: number, dial: Dial) {
    if (!(most >= 1)) throw new RangeError('maxSockets is a number of connections, at least 1');
    this.#origin = origin;
    this.#most = most;
    this.#dial = dial;
  }

  /** Sends an exchange, now or when there is a connection for it. */
  perform(exchange: Exchange): void {
    const line = this.#free();
    if (line) line.carry(exchange);
    else this.#waiting.add(exchange);
  }

  /** Connects with another dial from now on. Idle connections end, those in use end with their answers. */
  renew(dial: Dial): void {
    this.#dial = dial;
    this.#open = 0;
    for (const line of this.#idle.splice(0)) this.#drop(line);
    this.#serve();
  }

  /** Ends all exchanges and connections. Those that wait come first: nothing is sent any more. */
  close(reason: () => Error): void {
    for (const exchange of this.#waiting) exchange.fail(reason());
    for (const line of this.#lines) {
      if (line.exchange) line.exchange.fail(reason());
      else this.#drop(line);
    }
    this.#idle.length = 0;
  }

  /** Takes the connection of an exchange back. It is of no more use when nobody knows what comes on it yet. */
  ended(exchange: Exchange, whole: boolean): void {
    const { line } = exchange;
    if (!line) {
      this.#waiting.delete(exchange);
      return;
    }
    line.exchange = undefined;
    line.served = true;
    if (whole && line.dial === this.#dial) this.#idle.push(line);
    else this.#drop(line);
    this.#serve();
  }

  #free(): Line | undefined {
    if (this.#idle.length > 0) return this.#idle.pop();
    if (this.#open >= this.#most) return undefined;
    this.#open++;
    const line = new Line(this.#origin, this.#dial);
    this.#lines.add(line);
    return line;
  }

  #drop(line: Line): void {
    if (line.dial === this.#dial) this.#open--;
    this.#lines.delete(line);
    line.destroy();
  }

  /** Gives connections to those that wait, the first first. */
  #serve(): void {
    for (const exchange of this.#waiting) {
      const line = this.#free();
      if (!line) return;
      this.#waiting.delete(exchange);
      line.carry(exchange);
    }
  }
}
