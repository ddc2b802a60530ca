// The same objects for `import` as for `require`: a process that loads both ways has one set of classes.
export { Client, CpmError, Ilp, InvalidSignatureError, Jws, kinds } from './index.js';
export type * from './index.js';
