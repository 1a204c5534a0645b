import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** The parts of a request that show its origin. */
export interface Asking {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/** Why a request is not answered: the status and one sentence. */
export interface Refusal {
  readonly status: 403 | 405 | 421;
  readonly message: string;
}

/** The keys of one run of the server. */
export interface Keys {
  /** A token for an address. `once`: it opens one session only, within a minute. */
  token(once: boolean): string;
  /** The session that a token opens, or undefined. */
  redeem(token: string): string | undefined;
  /** Whether the cookies hold a session. */
  holds(cookies: string | undefined): boolean;
  readonly cookie: string;
}

const ONCE_MS = 60_000;

/** `cookie`: its name; cookies of one host are shared by all its ports. */
export function openKeys(cookie: string, now: () => number): Keys {
  const session = secret();
  const tokens = new Map<string, number | undefined>();
  return {
    cookie,
    token(once) {
      const token = secret();
      tokens.set(token, once ? now() + ONCE_MS : undefined);
      return token;
    },
    redeem(given) {
      const token = [...tokens.keys()].find((one) => same(one, given));
      if (token === undefined) return undefined;
      const until = tokens.get(token);
      if (until === undefined) return session;
      tokens.delete(token);
      return now() <= until ? session : undefined;
    },
    holds: (cookies) =>
      (cookies ?? "").split(";").some((pair) => {
        const [name, value = ""] = pair.trim().split("=");
        return name === cookie && same(value, session);
      }),
  };
}

const secret = (): string => randomBytes(32).toString("base64url");

/** Takes the same time whatever is different. */
function same(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

/**
 * Refuses what did not come from this server's own page: another name that resolves to this computer (DNS rebinding), or a page of another
 * site. Pure.
 */
export function foreign({ method, headers }: Asking, hosts: readonly string[]): Refusal | undefined {
  const { host = "", origin } = headers;
  if (!hosts.includes(host))
    return { status: 421, message: "this server answers to its own printed address only" };
  if (origin !== undefined && origin !== `http://${host}`)
    return { status: 403, message: "the request comes from the page of another site" };
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none" && !isVisit({ method, headers }))
    return { status: 403, message: "the request comes from the page of another site" };
  if (method === "GET") return undefined;
  if (method !== "POST")
    return { status: 405, message: `${method.slice(0, 20)} is not a method of this server` };
  if (origin === undefined) return { status: 403, message: "a change needs the Origin header of a browser" };
  if (headers["content-type"] !== "application/json")
    return { status: 403, message: "a change is sent as application/json" };
  return undefined;
}

/** A link that was followed. It reads nothing: the session's cookie is not sent with it. */
const isVisit = ({ method, headers }: Asking): boolean =>
  method === "GET" && headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";

/** Headers of every answer: only this server's own files, no frames, nothing kept. */
export const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    ...["script-src", "style-src", "img-src", "connect-src"].map((one) => `${one} 'self'`),
    ...["base-uri", "form-action", "frame-ancestors"].map((one) => `${one} 'none'`),
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};
