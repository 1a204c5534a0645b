import { isHeader } from "./options.ts";

/** How a server is asked whether it is alive: by a connection, or by a request. */
export type Check = { readonly kind: "tcp" } | HttpCheck;

/** A request that a server must answer with one of the statuses. */
export interface HttpCheck {
  readonly kind: "http";
  readonly path: string;
  /** Default `localhost`. */
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The good ones; 200 to 399 when left out. */
  readonly status?: readonly number[];
}

/** Goes into the configuration between single quotes. */
const CHECK_PATH = /^\/[A-Za-z0-9._~!$&()*+,;=:@%/?-]{0,1023}$/;

/** A line of the configuration has at most 64 words. */
const MAX_HEADERS = 15;

export function* checkFaults({ path, host, headers = {}, status = [] }: HttpCheck): Generator<string> {
  if (!CHECK_PATH.test(path)) yield `check path ${JSON.stringify(path).slice(0, 100)} is not a URL path`;
  if (host !== undefined && !/^[A-Za-z0-9.-]{1,253}(:\d{1,5})?$/.test(host))
    yield "the check has no host name";
  if (Object.keys(headers).length > MAX_HEADERS || !Object.entries(headers).every(isHeader))
    yield "the check has an entry that is not a header";
  if (status.length > 30 || !status.every((code) => Number.isInteger(code) && code >= 100 && code <= 599))
    yield "the check has an entry that is not a status";
}
