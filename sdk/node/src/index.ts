export { Client, type BatchResult } from './client.js';
export { CpmError, InvalidSignatureError, type ErrorKind } from './errors.js';
export { Ilp, type IlpOptions, type IlpPacketV1, type IlpPacketV4, type IlpProcessor, type IlpResponse, type IlpVersion } from './ilp.js';
export { Jws, type Logger, type ReceivedRequest, type RequestOptions, type SignerOptions, type ValidatorOptions } from './jws.js';
export * from './messages.js';
export type { OperationName } from './operations.js';
export type { CallOptions, ClientOptions, PEM, TLSOptions } from './options.js';
