import type { Answer } from "dns-packet";
import { apexOf, soa, type Zone } from "./zone.ts";

/** An authoritative answer: code and sections (RFC 1035, 4.1). */
export interface Reply {
  readonly rcode: "NOERROR" | "NXDOMAIN" | "REFUSED";
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
  readonly additionals: readonly Answer[];
}

const NONE: Omit<Reply, "rcode"> = { answers: [], authorities: [], additionals: [] };

/**
 * The authoritative answer to one question; `undefined` when the name is not ours. Pure: `turn` is which instance comes first.
 * The owner of the answers is spelled as in the question. An existing name without such a record is NOERROR with the SOA, a name
 * that does not exist NXDOMAIN with the SOA (RFC 2308, 2).
 */
export function answerQuestion(zone: Zone, name: string, type: string, turn: number): Reply | undefined {
  const apex = apexOf(zone, name);
  if (apex === undefined) return undefined;
  if (type === "AXFR" || type === "IXFR") return { rcode: "REFUSED", ...NONE };
  const lower = name.toLowerCase();
  const records = zone.names.get(lower);
  const negative = { ...NONE, authorities: [soa(zone, apex)] };
  if (!records) return { rcode: "NXDOMAIN", ...negative };
  const here = lower === apex ? [...apexRecords(zone, apex), ...records] : records;
  const found = rotate(
    here.filter((record) => type === "ANY" || record.type === type),
    turn,
  );
  if (found.length === 0) return { rcode: "NOERROR", ...negative };
  return {
    rcode: "NOERROR",
    answers: found.map((record) => ({ ...record, name })),
    authorities: [],
    additionals: found.flatMap((record) =>
      record.type === "SRV" ? (zone.names.get(record.data.target) ?? []) : [],
    ),
  };
}

function apexRecords(zone: Zone, apex: string): readonly Answer[] {
  return [soa(zone, apex), { type: "NS", name: apex, ttl: zone.ttl, data: `ns.${apex}` }];
}

function rotate(records: readonly Answer[], turn: number): readonly Answer[] {
  const first = records.length === 0 ? 0 : turn % records.length;
  return [...records.slice(first), ...records.slice(0, first)];
}
