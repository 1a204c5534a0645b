import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TokenRecord } from "@ployz/primitives/protocol";
import { PloyzError } from "../../error-codes.ts";

const BEARER = /^Bearer ([0-9a-f]{16})\.([A-Za-z0-9_-]{43})$/;

export const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** The id and the secret of a request with exactly one `Authorization`. */
export function credentialsOf({
  rawHeaders,
  headers,
}: Pick<IncomingMessage, "rawHeaders" | "headers">):
  | { readonly id: string; readonly secret: string }
  | undefined {
  const names = rawHeaders.filter((_, index) => index % 2 === 0);
  if (names.filter((name) => name.toLowerCase() === "authorization").length !== 1) return undefined;
  const [, id, secret] = BEARER.exec(headers.authorization ?? "") ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** The token's record, if the secret is right and it has not expired. Takes equally long for a wrong secret and an unknown id. */
export function findToken(
  records: readonly TokenRecord[],
  { id, secret }: { readonly id: string; readonly secret: string },
  now: number,
): TokenRecord | undefined {
  const record = records.find((one) => one.id === id);
  const known = Buffer.from(/^[0-9a-f]{64}$/.exec(record?.secretHash ?? "")?.[0] ?? "0".repeat(64), "hex");
  const right = timingSafeEqual(known, Buffer.from(hashOf(secret), "hex"));
  return right && record !== undefined && now < record.expiresAt ? record : undefined;
}

export const tokenInvalid = () =>
  new PloyzError({
    code: "token_invalid",
    message: "the cluster does not know this token, or it was revoked or has expired",
    hint: "create another one on a member: ployzctl token create",
  });
