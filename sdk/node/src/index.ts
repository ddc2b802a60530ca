export { Client, type BatchResult } from './client.js';
export { CpmError, InvalidSignatureError, type ErrorKind } from './errors.js';
export { Jws, type Logger, type ReceivedRequest, type RequestOptions, type SignerOptions, type ValidatorOptions } from './jws.js';
export * from './messages.js';
export type { OperationName } from './operations.js';
export type { CallOptions, ClientOptions, PEM, TLSOptions } from './options.js';
