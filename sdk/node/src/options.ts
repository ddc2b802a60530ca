/** Where certificates come from: the path of a PEM file, which is followed when it changes, or the PEM bytes themselves. */
export type PEM = string | Uint8Array;

/** TLS as a client of the CPM. A CPM demands TLS 1.3 and a client certificate. */
export interface TLSOptions {
  /** The authority that issued the CPM's certificate. */
  ca: PEM;
  /** The certificate this service is known by: its first DNS name is who the CPM's grants name. */
  cert: PEM;
  /** The private key of that certificate. */
  key: PEM;
  /** The name in the CPM's certificate, if the URL has another. */
  servername?: string | undefined;
}

export interface ClientOptions {
  /** Address of the CPM's JSON port, as https://cpm.hub.example:7800. Plain http is for `cpm dev` on loopback only. */
  url: string | URL;
  /** Needed with https. */
  tls?: TLSOptions | undefined;
  /** Time for one call with all its attempts, in milliseconds; 5,000 if not given. */
  timeout?: number | undefined;
  /** Connections at most; 16 if not given. Calls beyond them wait for one, within their time. */
  maxSockets?: number | undefined;
  /** Attempts after the first of a call that the CPM was too busy for; 3 if not given, 0 for none. */
  retries?: number | undefined;
  /**
   * Where the CPM has lately said busy to an operation for an FSP, asks it little more often than it answers, and declines
   * the other calls at once, as busy; true if not given.
   */
  throttle?: boolean | undefined;
  /**
   * Puts calls that come while others are under way into one request, as a batch: a busy process spends a fraction of the
   * processor time. Calls of one batch are answered together. Calls with a traceparent go alone.
   */
  gather?: boolean | undefined;
  /** How often the files of `tls` are looked at for changes, in milliseconds; 10,000 if not given. */
  reloadInterval?: number | undefined;
  /** Gives the W3C traceparent of the moment, for calls that have none of their own. */
  traceparent?: (() => string | undefined) | undefined;
}

export interface CallOptions {
  /** Gives the call up. The promise is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Time for this call in milliseconds, in the place of the client's. */
  timeout?: number | undefined;
  /** W3C Trace Context; it goes with the request through the CPM and into its log. */
  traceparent?: string | undefined;
}
