import { setTimeout as sleep } from 'node:timers/promises';

import { LostConnection } from './exchange.js';
import { CpmError } from './errors.js';

/** Pauses of a CPM that names none, in milliseconds: the first, and the longest. */
const shortest = 25;
const longest = 1000;

/**
 * Decides about another attempt. A busy CPM has not begun, so every operation may be asked again; a lost connection
 * leaves open whether it has, so only operations are that answer the same twice.
 *
 * All calls of a client together repeat at most one in ten, beyond a reserve of ten: when a CPM is overloaded for long,
 * repetitions must not be what keeps it so.
 */
export class Retry {
  readonly #attempts: number;
  #reserve = 10;

  constructor(attempts: number) {
    this.#attempts = attempts;
  }

  /** Notes that a call begins. */
  began(): void {
    this.#reserve = Math.min(10, this.#reserve + 0.1);
  }

  /** How long to wait before the next attempt, in milliseconds; undefined for no other attempt. */
  pause(error: unknown, attempt: number, repeatable: boolean, left: number): number | undefined {
    if (!(error instanceof CpmError) || attempt >= this.#attempts) return undefined;
    const lost = repeatable && error instanceof LostConnection;
    if (error.kind !== 'busy' && !lost) return undefined;
    const pause = lost ? 0 : jitter(error.retryAfter, attempt);
    if (pause >= left || this.#reserve < 1) return undefined;
    this.#reserve--;
    return pause;
  }
}

/** Never earlier than the CPM asked for, and not all callers at once. */
function jitter(retryAfter: number | undefined, attempt: number): number {
  if (retryAfter !== undefined) return retryAfter * 1000 * (1 + Math.random() / 4);
  return Math.random() * Math.min(longest, shortest * 2 ** attempt);
}

/** Waits, unless the caller gives up first: then it throws the signal's reason. */
export async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal && { signal });
  } catch (error) {
    throw signal?.reason ?? error;
  }
}
