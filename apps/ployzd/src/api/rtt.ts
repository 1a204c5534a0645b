import { errorBody } from "@ployz/errors";
import type { RttTable } from "@ployz/primitives/client";
import type { Member } from "../daemon/member-parts.ts";

const RTT_MS = 6_000;

/** The round trip of every pair, measured by each machine for its own row. */
export async function rttTable(member: Member, signal: AbortSignal): Promise<RttTable> {
  const ids = member.membership().machines.map(({ id }) => id);
  const rows = await Promise.all(
    ids.map(async (from) => {
      const others = ids.filter((id) => id !== from);
      try {
        const { rttMs } = await member.machines.call(
          from,
          "machine.rtt",
          { machines: others },
          { timeoutMs: RTT_MS, signal },
        );
        return others.map((to) => ({ from, to, rttMs: rttMs[to] ?? null }));
      } catch (error) {
        return others.map((to) => ({ from, to, rttMs: null, error: errorBody(error) }));
      }
    }),
  );
  return { kind: "rtt", rows: rows.flat() };
}
