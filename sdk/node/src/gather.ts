import { CpmError, information } from './errors.js';

/** One operation on its way into a request. */
export interface Item {
  /** The path it has when it goes alone, and the text it has there. */
  path: string;
  text: string;
  /** The text it has as an item of a batch. */
  itemText: () => string;
  /** Where its result stands in a result of the batch. */
  operation: string;
}

interface Waiting extends Item {
  end: number;
  settle: (outcome: () => unknown) => void;
}

/** Sends a request and gives its result, or throws. */
export type Send = (path: string, text: string, timeout: number) => Promise<unknown>;

/** Takes the results of a batch apart. */
export type Results = (answer: unknown, count: number) => { status: string; value?: Record<string, unknown>; reason?: CpmError }[];

/** Requests under way at once; what comes meanwhile waits for the next. */
const most = 2;

/** Bounds of one request: few enough items that none waits long for the others, and a text far below what a batch may have. */
const items = 64;
const size = 256 * 1024;

/**
 * Puts calls that come while others are under way into one request. A call that comes alone is sent alone and at once.
 * Each call keeps its own time and signal; a request is not given up for one of its items.
 */
export class Gatherer {
  readonly #send: Send;
  readonly #results: Results;
  #waiting: Waiting[] = [];
  #underway = 0;
  #flushing = false;

  constructor(send: Send, results: Results) {
    this.#send = send;
    this.#results = results;
  }

  ask(item: Item, timeout: number, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (outcome: () => unknown): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        try {
          resolve(outcome());
        } catch (error) {
          reject(error);
        }
      };
      const giveUp = (reason: unknown): void => {
        this.#waiting = this.#waiting.filter((w) => w !== waiting);
        settle(() => { throw reason; });
      };
      const abort = () => giveUp(signal?.reason);
      const timer = setTimeout(() => giveUp(new CpmError('timeout', information('2004', 'the CPM did not answer in time'))), timeout);
      signal?.addEventListener('abort', abort);
      const waiting = { ...item, end: performance.now() + timeout, settle };
      this.#waiting.push(waiting);
      this.#soon();
    });
  }

  /** Calls made in one go are gathered before anything is sent. */
  #soon(): void {
    if (this.#flushing || this.#underway >= most || this.#waiting.length === 0) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      if (this.#waiting.length === 0) return;
      this.#underway++;
      this.#exchange(this.#take()).finally(() => {
        this.#underway--;
        this.#soon();
      });
      this.#soon();
    });
  }

  #take(): Waiting[] {
    let [count, length] = [0, 0];
    for (const { text } of this.#waiting) {
      length += text.length;
      if (count > 0 && (count === items || length > size)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #exchange(taken: Waiting[]): Promise<void> {
    const timeout = Math.max(1, Math.max(...taken.map((w) => w.end)) - performance.now());
    try {
      if (taken.length === 1) {
        const [{ path, text, settle }] = taken as [Waiting];
        const answer = await this.#send(path, text, timeout);
        settle(() => answer);
        return;
      }
      const text = `{"items":[${taken.map((w) => w.itemText()).join(',')}]}`;
      const results = this.#results(await this.#send('/v1/batch', text, timeout), taken.length);
      taken.forEach((w, i) => w.settle(() => {
        const { reason, value } = results[i]!;
        if (reason) throw reason;
        return value![w.operation];
      }));
    } catch (error) {
      for (const w of taken) w.settle(() => { throw error; });
    }
  }
}
