import {
  CLUSTER_ID,
  decodeFields,
  ENDPOINT,
  encodeFields,
  INVITE_ID,
  isLabel,
} from "@ployz/primitives/protocol";
import { parseCidr } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";

/** The token that an operator copies from a member to the new machine. It admits one machine: it is as secret as a password. */
export interface JoinToken {
  /** The cluster's id and range, so that the new machine refuses an overlap before it connects. */
  readonly cluster: string;
  readonly clusterCidr: string;
  readonly inviter: string;
  /** `host:port` of the inviter's join port, best first. */
  readonly endpoints: readonly string[];
  /** SHA-256 of the inviter's public key (SubjectPublicKeyInfo), base64url: only the inviter can answer. */
  readonly pin: string;
  readonly invite: string;
  /** 32 random bytes, base64url. */
  readonly secret: string;
  /** Milliseconds since the epoch, by the inviter's clock. */
  readonly expiresAt: number;
}

const PREFIX = "ployz-join-1.";
export const MAX_TOKEN = 4096;
const BYTES_32 = /^[A-Za-z0-9_-]{43}$/;
const CLUSTER = new RegExp(CLUSTER_ID);
const REACHABLE = new RegExp(ENDPOINT);

export function encodeToken(token: JoinToken): string {
  const { cluster, clusterCidr, inviter, endpoints, pin, invite, secret, expiresAt } = token;
  const short = [cluster, clusterCidr, inviter, endpoints, pin, invite, secret, expiresAt];
  return encodeFields(PREFIX, short);
}

/** @throws PloyzError `invalid_input`, whose message does not contain the input. */
export function decodeToken(text: string): JoinToken {
  const token = read(text);
  if (token !== undefined) return token;
  throw new PloyzError({
    code: "invalid_input",
    message: text.trim().startsWith("ployz-join-")
      ? "token: it is incomplete, or of another version"
      : "token: this is not a join token",
    hint: "use the line that ployzctl machine invite create prints: it starts with ployz-join-",
  });
}

function read(text: string): JoinToken | undefined {
  const fields = decodeFields(text, PREFIX, MAX_TOKEN);
  if (fields?.length !== 8) return undefined;
  const [cluster, clusterCidr, inviter, endpoints, pin, invite, secret, expiresAt] = fields;
  const matches = (value: unknown, pattern: RegExp): value is string =>
    typeof value === "string" && pattern.test(value);
  const good =
    matches(cluster, CLUSTER) &&
    isCidr(clusterCidr) &&
    isLabel(inviter) &&
    Array.isArray(endpoints) &&
    endpoints.length >= 1 &&
    endpoints.length <= 8 &&
    endpoints.every((one) => matches(one, REACHABLE)) &&
    matches(pin, BYTES_32) &&
    matches(invite, INVITE_ID) &&
    matches(secret, BYTES_32) &&
    Number.isSafeInteger(expiresAt);
  if (!good) return undefined;
  return { cluster, clusterCidr, inviter, endpoints, pin, invite, secret, expiresAt: expiresAt as number };
}

function isCidr(value: unknown): value is string {
  try {
    return typeof value === "string" && parseCidr(value).family === 4;
  } catch {
    return false;
  }
}
