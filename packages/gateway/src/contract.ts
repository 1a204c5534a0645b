import type { Certificate } from "./certificates.ts";
import type { GatewayStatus } from "./status.ts";
import type { RouteTable } from "./table.ts";

/** How a table was brought into effect, and its version. */
export interface Applied {
  /** `runtime`: without a reload. `reload` also stands for a first start. */
  readonly changed: "none" | "runtime" | "reload";
  readonly version: string;
}

/** How a starting daemon found HAProxy. */
export interface Adopted {
  /** `repaired`: it ran with another state than the one on disk. `absent`: no table was ever applied in this folder. */
  readonly state: "adopted" | "repaired" | "started" | "absent";
  readonly version?: string;
}

/** Whether the server serves nothing any more. */
export interface Drained {
  readonly drained: boolean;
  /** Sessions that it still serves, over all workers. */
  readonly sessions: number;
}

/** How long to wait for open sessions. */
export interface DrainOptions {
  /** Default: the gateway's `drainTimeoutMs`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The gateway of one machine. Calls are done one after another. */
export interface Gateway {
  /**
   * Applies the table to HAProxy without losing a request, and returns when every new request follows it. Requests that removed
   * servers still serve are finished in the background. A refused table changes nothing.
   * Errors: gateway_config_invalid, gateway_reload_failed, port_taken.
   */
  apply(table: RouteTable): Promise<Applied>;
  /** After a start of the caller: adopts a running HAProxy, or starts it, from the state on disk alone. */
  adopt(): Promise<Adopted>;
  /** The state of HAProxy, its servers and holds. Changes nothing. */
  status(): Promise<GatewayStatus>;
  /**
   * Takes a server out of rotation (until it leaves the table, or `undrain`) and waits until it serves nothing. Also for a
   * server that the last table removed. Time running out is an answer, not an error.
   */
  drain(serverId: string, options?: DrainOptions): Promise<Drained>;
  /** Sends requests to a drained server again. No effect for one that is not drained. */
  undrain(serverId: string): Promise<void>;
  /**
   * From now on requests (and connections of TCP routes) of these backends wait while there is no live server, for up to `ms` from the
   * call (at most 60,000) instead of failing. It ends then, or when a server is live again after there was none; while one is live it
   * changes nothing. A reload sends waiting requests to the server that it adds, or answers 503; the hold continues. The next process's `adopt` ends it.
   * Returns the ids of the backends held, none when HAProxy serves no such. `drain`: their servers get no new requests from now on, so
   * that they can be stopped without a request on its way to them; they get requests again when the hold ends. 0 ms ends a hold, as soon as a server is live.
   */
  hold(
    wanted: (backendId: string) => boolean,
    ms: number,
    options?: { readonly drain?: boolean },
  ): Promise<readonly string[]>;
  /**
   * From now on these certificates, and no others, are served by SNI; a name that none of them has gets a refused handshake. Without a reload, except that
   * the first certificate opens the listener. They are kept on disk, and HAProxy starts with them.
   * Errors: gateway_config_invalid, gateway_command_refused, gateway_reload_failed, port_taken.
   */
  certify(certificates: readonly Certificate[]): Promise<void>;
  /**
   * Answers ACME's challenges from now on, until the next call or a restart of the caller: HTTP-01 by token, and with `proofs` TLS-ALPN-01, by host: PEM of
   * certificate and key. Proofs need `httpsListen`; when they change, HAProxy is reloaded. Errors: gateway_config_invalid, gateway_reload_failed, port_taken.
   */
  challenge(answers: ReadonlyMap<string, string>, proofs?: ReadonlyMap<string, string>): Promise<void>;
  /** Ends HAProxy, and keeps the state: `adopt` starts it again. */
  stop(): Promise<void>;
  /** Stops timers; HAProxy keeps running. */
  close(): void;
}
