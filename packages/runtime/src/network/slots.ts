import { createHash } from "node:crypto";

/** Flows are hashed into so many slots: a server's share is right to 1/256. */
export const SLOTS = 256;

/** A server that takes a part of the slots, beside others. */
export interface Shared {
  /** The same on every machine. */
  readonly key: string;
  /** Its part. Default 1. */
  readonly weight?: number;
}

/**
 * Which server takes each slot: the same on every machine, in parts by weight. A slot changes its server only where that left, or to give a new
 * one its part (rendezvous hashing, with a quota for each server). Pure.
 */
export function slotsOf(servers: readonly Shared[]): readonly number[] {
  const left = quotas(servers);
  const slots: number[] = [];
  const ranked = servers
    .flatMap(({ key }, server) => scores(key).map((score, slot) => ({ server, slot, score })))
    .sort((a, b) => b.score - a.score || a.slot - b.slot || a.server - b.server);
  for (const { server, slot } of ranked) {
    if (slots[slot] !== undefined || left[server] === 0) continue;
    slots[slot] = server;
    left[server] = (left[server] ?? 0) - 1;
  }
  return slots;
}

/** Whole numbers with the sum `SLOTS`: slots left over after rounding down go to the largest remainders. */
function quotas(servers: readonly Shared[]): number[] {
  const total = servers.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const exact = servers.map(({ weight = 1 }) => (weight * SLOTS) / total);
  const whole = exact.map(Math.floor);
  const rest = SLOTS - whole.reduce((sum, one) => sum + one, 0);
  const byRemainder = servers
    .map((_, server) => server)
    .sort(
      (a, b) => ((exact[b] ?? 0) % 1) - ((exact[a] ?? 0) % 1) || compare(servers[a]?.key, servers[b]?.key),
    );
  for (const server of byRemainder.slice(0, rest)) whole[server] = (whole[server] ?? 0) + 1;
  return whole;
}

/** One 32-bit number for each slot: eight of a digest. */
function scores(key: string): readonly number[] {
  return Array.from({ length: SLOTS / 8 }, (_, block) => {
    const digest = createHash("sha256").update(`${block} ${key}`).digest();
    return Array.from({ length: 8 }, (_, at) => digest.readUInt32BE(at * 4));
  }).flat();
}

const compare = (a = "", b = ""): number => (a < b ? -1 : a > b ? 1 : 0);
