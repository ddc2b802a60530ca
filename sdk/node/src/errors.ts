import type { ErrorInformation, Extension, Kind } from './messages.js';

/**
 * Why a call has no result: a kind of decline of the CPM (docs/errors.md), or one of this client's own words.
 * - `unreachable`: no connection, or it was lost before the answer.
 * - `protocol`: what answered is not a CPM.
 * - `invalid-signature`: thrown by Jws.validator only; elsewhere it is a result.
 */
export type ErrorKind = Kind | 'unreachable' | 'protocol' | 'invalid-signature';

/** The FSPIOP title of the codes that this client gives by itself. */
const titles = { 2001: 'Internal server error', 2003: 'Service currently unavailable', 2004: 'Server timed out', 2005: 'Server busy', 3105: 'Invalid signature' };

interface Details {
  status?: number | undefined;
  requestId?: string | undefined;
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** A call that has no result. Nothing in it repeats what the caller sent, and no key or certificate is reachable from it. */
export class CpmError extends Error {
  override name = 'CpmError';

  constructor(
    /** The word to program against. */
    readonly kind: ErrorKind,
    /** As the CPM answered it, or made here in the same shape: can be sent to an FSP as it is. */
    readonly errorInformation: ErrorInformation,
    details: Details = {},
  ) {
    super(errorInformation.errorDescription ?? kind, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = details.status;
    this.requestId = details.requestId;
    this.retryAfter = details.retryAfter;
  }

  /** HTTP status of the answer; absent when there was none. */
  readonly status: number | undefined;
  /** The id under which the CPM's log knows the request; absent when it did not get there. */
  readonly requestId: string | undefined;
  /** Seconds after which another attempt makes sense, if the CPM said so. */
  readonly retryAfter: number | undefined;

  /** The FSPIOP error code. */
  get code(): string {
    return this.errorInformation.errorCode ?? '';
  }
}

/** A message whose signature does not verify. */
export class InvalidSignatureError extends CpmError {
  override name = 'InvalidSignatureError';

  constructor(
    /** One word of the list in docs/errors.md. */
    readonly reason: string,
    errorInformation: ErrorInformation = information('3105', reason),
  ) {
    super('invalid-signature', errorInformation);
  }
}

/** The FSPIOP element for an error that has its origin here. */
export function information(code: keyof typeof titles | `${keyof typeof titles}`, text: string): ErrorInformation {
  return { errorCode: String(code), errorDescription: `${titles[code]} - ${text}` };
}

function seconds(milliseconds: string | undefined): number | undefined {
  return milliseconds !== undefined && /^\d{1,8}$/.test(milliseconds) ? Number(milliseconds) / 1000 : undefined;
}

/** The decline of a call that this client did not send, in the form of the one that the CPM would have given. */
export function notAsked(operation: string, retryAfter: number | undefined): CpmError {
  const text = `not sent: a CPM just said busy to ${operation} for this FSP; repeat later, or ask for less at a time`;
  const extension: Extension[] = [{ key: 'kind', value: 'busy' }];
  if (retryAfter !== undefined) extension.push({ key: 'retryAfterMs', value: String(Math.round(retryAfter * 1000)) });
  return new CpmError('busy', { ...information('2005', text), extensionList: { extension } }, { retryAfter });
}

/** The error of a declined request, out of the body of the answer or an item of a batch. */
export function declined(body: unknown, details: Details): CpmError {
  const { errorInformation, requestId } = (body ?? {}) as { errorInformation?: ErrorInformation; requestId?: string };
  const said = (key: string) => errorInformation?.extensionList?.extension?.find((e) => e.key === key)?.value;
  const kind = said('kind');
  if (!errorInformation?.errorCode || !kind) {
    return new CpmError('protocol', information('2001', 'the answer is not that of a CPM'), details);
  }
  const retryAfter = seconds(said('retryAfterMs')) ?? details.retryAfter; // the header has whole seconds, and items none
  return new CpmError(kind as Kind, errorInformation, { ...details, retryAfter, requestId: requestId ?? details.requestId });
}
