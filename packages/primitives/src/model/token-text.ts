import { isLabel } from "./names.ts";
import { CLUSTER_ID, ENDPOINT } from "./patterns.ts";
import { decodeFields, encodeFields } from "./token-fields.ts";

/** A token as its holder keeps it. It is as secret as a password. */
export interface TokenText {
  readonly cluster: string;
  readonly name: string;
  readonly id: string;
  /** 32 random bytes, base64url. */
  readonly secret: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Machines that take it: the pin of each one's key, and where it is reached, best first. */
  readonly machines: readonly { readonly pin: string; readonly endpoints: readonly string[] }[];
}

/** Chosen by a client in the TLS handshake (ALPN): the API of the join port. */
export const TOKEN_PROTOCOL = "ployz-api/1";

const PREFIX = "ployz-token-1.";
/** Longer is no token. */
export const MAX_TOKEN = 8192;
const BYTES_32 = /^[A-Za-z0-9_-]{43}$/;
const ID = /^[0-9a-f]{16}$/;
const CLUSTER = new RegExp(CLUSTER_ID);
const REACHABLE = new RegExp(ENDPOINT);

/** The line that a person or a program keeps. */
export function encodeToken({ cluster, name, id, secret, expiresAt, machines }: TokenText): string {
  const ways = machines.map(({ pin, endpoints }) => [pin, ...endpoints]);
  const short = [cluster, name, id, secret, expiresAt, ways];
  return encodeFields(PREFIX, short);
}

/** The token in a text, which may end with white space; undefined when it is none, or of another version. */
export function decodeToken(text: string): TokenText | undefined {
  const fields = decodeFields(text, PREFIX, MAX_TOKEN);
  if (fields?.length !== 6) return undefined;
  const [cluster, name, id, secret, expiresAt, ways] = fields;
  const machines =
    Array.isArray(ways) && ways.length >= 1 && ways.length <= 32 ? ways.map(wayOf) : [undefined];
  const good = machines.filter((one) => one !== undefined);
  if (
    good.length < machines.length ||
    !matches(cluster, CLUSTER) ||
    !isLabel(name) ||
    !matches(id, ID) ||
    !matches(secret, BYTES_32) ||
    typeof expiresAt !== "number" ||
    !Number.isSafeInteger(expiresAt)
  )
    return undefined;
  return { cluster, name, id, secret, expiresAt, machines: good };
}

const matches = (value: unknown, pattern: RegExp): value is string =>
  typeof value === "string" && pattern.test(value);

function wayOf(value: unknown): TokenText["machines"][number] | undefined {
  if (!Array.isArray(value)) return undefined;
  const [pin, ...endpoints] = value as readonly unknown[];
  const reached = endpoints.filter((one) => matches(one, REACHABLE));
  if (!matches(pin, BYTES_32) || reached.length < endpoints.length) return undefined;
  return reached.length >= 1 && reached.length <= 8 ? { pin, endpoints: reached } : undefined;
}
