import { isIP } from "node:net";

/** What the gateway does with a route's requests besides sending them to an instance. Applied in the order of the fields. */
export interface RouteOptions {
  /** Every request gets a 503 with a page. */
  readonly maintenance?: true;
  /** CIDRs. Other clients get a 403; a client is the peer of the connection, or the one that a trusted proxy names. */
  readonly allow?: readonly string[];
  /** CIDRs that get a 403, also those that `allow` names. */
  readonly deny?: readonly string[];
  /** Other methods get a 405. */
  readonly methods?: readonly string[];
  readonly limits?: RouteLimits;
  /** Others get a 401; instances do not see the password. Without users every client gets it. */
  readonly basicAuth?: { readonly realm: string; readonly users: readonly BasicUser[] };
  /** The route's path begins with it, by segments; instances do not see it. */
  readonly stripPrefix?: string;
  readonly addPrefix?: string;
  /** Sets headers that instances see; an empty value removes the header. */
  readonly requestHeaders?: Readonly<Record<string, string>>;
  /** Sets headers that clients see; an empty value removes the header. */
  readonly responseHeaders?: Readonly<Record<string, string>>;
  /** Requests of one client go to one instance while that takes requests. */
  readonly sticky?: "cookie";
  /** Answers of text are compressed for clients that accept it. */
  readonly compression?: true;
  /** Requests are in the access log, and have an X-Request-Id. */
  readonly log?: true;
}

/** Of HTTP's basic authentication (RFC 7617). */
export interface BasicUser {
  readonly name: string;
  /** As crypt(5) has it: bcrypt, SHA-256 or SHA-512. */
  readonly hash: string;
}

/** Of one client where it says so: an IPv4 address, or an IPv6 /64. */
export interface RouteLimits {
  /** Larger bodies get a 413, those without a length a 411. */
  readonly bodyBytes?: number;
  /** Requests of one client in a window; more get a 429. */
  readonly rate?: { readonly count: number; readonly windowMs: number };
  /** Requests of one client at once; more get a 429. */
  readonly connections?: number;
  /** How long an instance may take to answer. */
  readonly timeoutMs?: number | "none";
}

/** RFC 9110, 5.6.2. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}$/;
/** RFC 9110, 5.5, without tabs and letters beyond ASCII; half of what HAProxy keeps of a message. */
const VALUE = /^([!-~]([ -~]{0,8190}[!-~])?)?$/;
const METHOD = /^[A-Z][A-Z-]{0,31}$/;
const REALM = /^[A-Za-z0-9._/ -]{1,200}$/;
const USER = /^[A-Za-z0-9._@+-]{1,64}$/;
const HASH = /^\$(2[aby]|5|6)\$[A-Za-z0-9./=$]{8,200}$/;
const HEADERS = 100;
const CIDRS = 1000;
const MAX = 2 ** 31 - 1;
/** HAProxy takes a window of at most 24 days. */
const LONGEST_WINDOW_MS = 86_400_000;

export function isCidr(text: string): boolean {
  const [address, bits, more] = text.split("/");
  const family = address?.includes("%") ? 0 : isIP(address ?? "");
  if (family === 0 || more !== undefined) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

/** What HAProxy could not serve, or would read as something else. */
export function* optionFaults(options: RouteOptions, path: string): Generator<string> {
  for (const field of ["allow", "deny"] as const) {
    const cidrs = options[field] ?? [];
    if (cidrs.length > CIDRS || (field === "allow" && options.allow?.length === 0))
      yield `${field} has ${cidrs.length} networks`;
    if (!cidrs.every(isCidr)) yield `${field} has an entry that is not a CIDR`;
  }
  const { methods, limits = {}, stripPrefix, addPrefix, basicAuth } = options;
  if (basicAuth !== undefined && !(REALM.test(basicAuth.realm) && basicAuth.users.every(isUser)))
    yield "basicAuth has an entry that is not a user";
  if (methods !== undefined && (methods.length === 0 || methods.length > 30 || !methods.every(isMethod)))
    yield "methods has an entry that is not a method";
  for (const [name, value] of Object.entries({
    ...{ body: limits.bodyBytes, rate: limits.rate?.count, connections: limits.connections },
    timeout: limits.timeoutMs === "none" ? undefined : limits.timeoutMs,
    window: limits.rate?.windowMs,
  }))
    if (
      value !== undefined &&
      !(
        Number.isInteger(value) &&
        value >= 1 &&
        (name === "body" ? Number.isSafeInteger(value) : value <= MAX)
      )
    )
      yield `the limit ${name} is no positive number`;
  if ((limits.rate?.windowMs ?? 0) > LONGEST_WINDOW_MS) yield "the window of the rate is longer than a day";
  if (stripPrefix !== undefined && !`${path}/`.startsWith(`${stripPrefix.replace(/\/+$/, "")}/`))
    yield "the path does not begin with the prefix to strip";
  if (addPrefix !== undefined && !/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1023}$/.test(addPrefix))
    yield "the prefix to add is not a URL path";
  for (const field of ["requestHeaders", "responseHeaders"] as const) {
    const headers = Object.entries(options[field] ?? {});
    if (headers.length > HEADERS) yield `${field} has more than ${HEADERS} headers`;
    if (!headers.every(isHeader)) yield `${field} has an entry that is not a header`;
  }
}

const isUser = ({ name, hash }: BasicUser): boolean => USER.test(name) && HASH.test(hash);
const isMethod = (method: string): boolean => METHOD.test(method);

/** Name and value. */
export const isHeader = ([name, value]: readonly [string, string]): boolean =>
  TOKEN.test(name) && VALUE.test(value);

/** Where a redirect leads: a URL, or a path of the same host. */
export const isRedirectTarget = (text: string): boolean =>
  /^(https?:\/\/[A-Za-z0-9.-]{1,253}(:\d{1,5})?)?(\/[A-Za-z0-9._~!$&'()*+,;=:@%/?#-]{0,2047})?$/.test(text) &&
  text !== "" &&
  !text.startsWith("//");

/** A target without a path keeps the request's path and query. */
export const keepsPath = (to: string): boolean => /^https?:\/\/[^/]*$/.test(to);
