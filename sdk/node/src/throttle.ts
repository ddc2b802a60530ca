import { CpmError, notAsked } from './errors.js';

/** What is counted is counted in windows of this length, in milliseconds. */
const span = 500;

/** After as many windows in a row without a busy answer there is no limit any more, and after their time without any call. */
const calm = 4;

/** Even a CPM that answered nothing well is asked as often, in calls per millisecond: or nobody would learn that it can again. */
const slowest = 8 / 1000;

/** How many more are asked than are answered, in calls per millisecond. A number and no share: of several clients those who ask
 * for less gain on the others until all have the same. */
const probe = 4 / 1000;
const growth = 1.25;

/** After how many windows in which it has not helped a limit is given up. */
const vain = 4;

/**
 * For how many windows there is no limit where one was in vain: for twice as many each time, unless the last one was of use for
 * as many as are proof.
 */
const leastFree = 4;
const mostFree = 64;
const proven = 16;

/** Limits at most. The names of FSPs come from the application, which may have them from messages that anybody sent. */
const most = 4096;

/**
 * Declines calls here that a CPM would decline anyway. To say busy costs a CPM something too, a tenth of its processor when
 * five times as much is asked as it can do, and only its callers can spare it that: where it has lately said busy, it is
 * asked little more often than it answers. That is learnt for each FSP and operation by itself, since a CPM's limits and
 * queues are those of an FSP and of a kind of work. All others are asked as ever, and pay for a look at the size of a map.
 */
export class Throttle {
  readonly #limits = new Map<string, Limit>();
  #sweep = 0;

  /** Asks, and heeds what comes of it; or declines at once. */
  async pass(fsp: string, operation: string, ask: () => Promise<unknown>): Promise<unknown> {
    if (this.#limits.size > 0) this.#admit(fsp, operation);
    let error: unknown;
    try {
      return await ask();
    } catch (thrown) {
      error = thrown;
      throw thrown;
    } finally {
      this.#heed(fsp, operation, error);
    }
  }

  /** Forgets all limits. */
  clear(): void {
    this.#limits.clear();
  }

  #admit(fsp: string, operation: string): void {
    const now = performance.now();
    const limit = this.#find(keyOf(fsp, operation), now);
    if (limit && !limit.admits(now)) throw notAsked(operation, limit.retryAfter);
  }

  #heed(fsp: string, operation: string, error: unknown): void {
    const busy = error instanceof CpmError && error.kind === 'busy';
    if (!busy && (this.#limits.size === 0 || !isAnswer(error))) return;
    const now = performance.now();
    const key = keyOf(fsp, operation);
    const limit = this.#find(key, now);
    if (!busy) limit?.good();
    else (limit ?? this.#make(key, now))?.busy(error.retryAfter);
  }

  #find(key: string, now: number): Limit | undefined {
    if (now >= this.#sweep) this.#forget(now);
    const limit = this.#limits.get(key);
    if (!limit || limit.holds(now)) return limit;
    this.#limits.delete(key);
    return undefined;
  }

  #make(key: string, now: number): Limit | undefined {
    if (this.#limits.size >= most) return undefined;
    const limit = new Limit(now);
    this.#limits.set(key, limit);
    return limit;
  }

  /** Only now and then: all of them are looked at. */
  #forget(now: number): void {
    this.#sweep = now + calm * span;
    for (const [key, limit] of this.#limits) if (limit.idle(now)) this.#limits.delete(key);
  }
}

/** How often one operation may be asked for one FSP. Times are those of performance.now(). */
class Limit {
  /** Seconds, as the CPM said last. */
  retryAfter: number | undefined;
  #began: number;
  #last: number;
  #busy = 0;
  #good = 0;
  /** Windows in a row before this one in which nothing was busy. */
  #quiet = 1;
  /** Calls per millisecond; none before two windows in a row had something busy. */
  #rate: number | undefined;
  /** Answers of the last window without a rate: those that were not busy, and all. */
  #freeGood = 0;
  #freeAll = 0;
  /** For how many windows there has been a rate, has it not helped, will there be none, and for how many that was the last time. */
  #held = 0;
  #vain = 0;
  #free = 0;
  #frees = 0;
  /** When the next call would be due if all came as evenly as the rate allows. */
  #due = 0;

  constructor(now: number) {
    this.#began = now;
    this.#last = now;
  }

  busy(retryAfter: number | undefined): void {
    this.#busy++;
    this.retryAfter = retryAfter ?? this.retryAfter;
  }

  good(): void {
    this.#good++;
  }

  /** Whether a call may go, which counts it: what a window may have at once after a lull, else one by one. */
  admits(now: number): boolean {
    if (this.#rate === undefined) return true;
    const due = Math.max(this.#due, now - span) + 1 / this.#rate;
    if (due > now) return false;
    this.#due = due;
    return true;
  }

  /** Notes that a call or an answer has come, and tells whether there is still a limit. */
  holds(now: number): boolean {
    if (this.idle(now)) return false;
    this.#last = now;
    while (now - this.#began >= span && this.#quiet < calm) this.#end();
    return this.#quiet < calm;
  }

  /** Whether nothing has come for so long that what was learnt is worth nothing. */
  idle(now: number): boolean {
    return now - this.#last >= calm * span;
  }

  /** Ends the window, and draws its conclusion. */
  #end(): void {
    this.#began += span;
    if (this.#free > 0) this.#free--;
    else if (this.#busy === 0) this.#grow();
    else if (this.#rate !== undefined && this.#isVain()) this.#lift();
    else if (this.#rate !== undefined || this.#quiet === 0) this.#bound();
    this.#quiet = this.#busy > 0 ? 0 : this.#quiet + 1;
    this.#busy = 0;
    this.#good = 0;
  }

  #grow(): void {
    if (this.#rate !== undefined) this.#rate *= growth;
    this.#vain = 0;
  }

  /**
   * There is no rate before the second window in a row: a burst that was too much for a moment may come again when the CPM
   * has said. A rate falls by half at most, because answers are also few when little was asked.
   */
  #bound(): void {
    if (this.#rate === undefined) this.#begin();
    this.#held++;
    this.#rate = Math.max(this.#good / span + probe, (this.#rate ?? 0) / 2, slowest);
  }

  #lift(): void {
    this.#rate = undefined;
    const twice = this.#held >= proven ? 0 : 2 * this.#frees;
    this.#frees = Math.min(Math.max(twice, leastFree), mostFree);
    this.#free = this.#frees;
  }

  #begin(): void {
    this.#due = this.#began;
    this.#held = 0;
    this.#vain = 0;
    this.#freeGood = this.#good;
    this.#freeAll = this.#good + this.#busy;
  }

  /**
   * Whether the limit has not helped for some windows: less is asked, and nearly as large a part of it is declined as without a limit.
   * Then it is not for the rate that the CPM declines, but for a part of the calls, such as those of one key, or of one of its
   * processes; or others ask so much that who asks less only leaves them more. For a window or two that is so when others have just
   * come.
   */
  #isVain(): boolean {
    const asked = this.#good + this.#busy;
    const helps = this.#freeGood === 0 || asked > 0.9 * this.#freeAll
      || 4 * this.#good * this.#freeAll >= asked * (3 * this.#freeGood + this.#freeAll);
    this.#vain = helps ? 0 : this.#vain + 1;
    return this.#vain >= vain;
  }
}

function keyOf(fsp: string, operation: string): string {
  return `${operation} ${fsp}`;
}

/** Whether a call that was not declined as busy ended with an answer of a CPM: neither lost, nor given up on this side. */
function isAnswer(error: unknown): boolean {
  if (error === undefined) return true;
  if (!(error instanceof CpmError) || error.kind === 'unreachable' || error.kind === 'protocol') return false;
  return error.kind !== 'timeout' || error.requestId !== undefined; // also a word for the time of this side
}
