const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A ULID in upper-case Crockford base 32. */
export const OPERATION_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Whether it is a ULID in upper case. */
export function isOperationId(value: unknown): value is string {
  return typeof value === "string" && OPERATION_ID.test(value);
}

/**
 * A ULID (https://github.com/ulid/spec): 48 bits of `nowMs`, 80 bits of `random(10)`. Ids of later milliseconds sort later,
 * the order of the operation log.
 */
export function ulid(nowMs: number, random: (bytes: number) => Uint8Array): string {
  let time = "";
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time;
  }
  let bits = 0n;
  for (const byte of random(10)) bits = (bits << 8n) | BigInt(byte);
  let tail = "";
  for (let i = 0; i < 16; i++, bits >>= 5n) tail = ALPHABET.charAt(Number(bits & 31n)) + tail;
  return time + tail;
}

/** When an operation id was made, in ms since the epoch. */
export function ulidTime(id: string): number {
  return Array.from(id.slice(0, 10)).reduce((time, letter) => time * 32 + ALPHABET.indexOf(letter), 0);
}

/** The part of an operation id that goes into names of things: its last eight characters (40 random bits), lower case. */
export function operationTail(operation: string): string {
  return operation.slice(-8).toLowerCase();
}

/** Unique for ever, and says whose it is: `prod.web.0.k3v9x2ab`. */
export function instanceId(namespace: string, service: string, slot: number, operation: string): string {
  return `${namespace}.${service}.${slot}.${operationTail(operation)}`;
}

/** Unique for ever, as an instance's id: `prod.pgdata.k3v9x2ab`. Stays the same when the volume moves. */
export function volumeId(namespace: string, name: string, operation: string): string {
  return `${namespace}.${name}.${operationTail(operation)}`;
}
