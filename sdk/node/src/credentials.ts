import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';

import type { PEM, TLSOptions } from './options.js';

const names = ['ca', 'cert', 'key'] as const;

/**
 * The files of a client's certificate. They are looked at again now and then, when there are requests; new ones are used
 * when all of them can be read and fit each other, so that a half-written set changes nothing.
 */
export class Credentials {
  readonly #options: TLSOptions;
  readonly #interval: number;
  #stamp: string | undefined;
  #looked = Date.now();
  #looking = false;

  constructor(options: TLSOptions, interval: number) {
    this.#options = options;
    this.#interval = interval;
  }

  /** Reads the files for the first time. */
  load(): SecureContext {
    return context(names.map((name) => now(this.#options[name])));
  }

  /** Gives what the files hold now to `changed`, if it is due to look at them and they are not what they were. */
  look(changed: (loaded: SecureContext) => void): void {
    if (this.#looking || Date.now() - this.#looked < this.#interval) return;
    this.#looking = true;
    this.#again(changed).catch(() => undefined).finally(() => {
      this.#looking = false;
      this.#looked = Date.now();
    });
  }

  async #again(changed: (loaded: SecureContext) => void): Promise<void> {
    const stamp = await this.#stampOfFiles();
    if (stamp === this.#stamp) return;
    const loaded = context(await Promise.all(names.map((name) => later(this.#options[name]))));
    this.#stamp = stamp;
    changed(loaded);
  }

  /** stat follows links, so that mounted secrets, which are swapped by a link, are seen to change. */
  async #stampOfFiles(): Promise<string> {
    const files = await Promise.all(names.map(async (name) => {
      const from = this.#options[name];
      if (typeof from !== 'string') return '';
      const s = await stat(from);
      return `${s.dev}:${s.ino}:${s.size}:${s.mtimeMs}`;
    }));
    return files.join(' ');
  }
}

function now(from: PEM): Buffer {
  return typeof from === 'string' ? readFileSync(from) : Buffer.from(from);
}

function later(from: PEM): Promise<Buffer> {
  return typeof from === 'string' ? readFile(from) : Promise.resolve(Buffer.from(from));
}

/** What connections are made with. It throws when key and certificate do not fit each other. */
function context([ca, cert, key]: Buffer[]): SecureContext {
  return createSecureContext({ ca: ca!, cert: cert!, key: key!, minVersion: 'TLSv1.3' });
}
