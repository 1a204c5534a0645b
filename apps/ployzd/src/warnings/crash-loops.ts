import type { InstanceRow } from "@ployz/primitives/client";
import { type Warning, warning } from "./codes.ts";

/** A restart this long ago is past: its instance has come up. */
const RECENT_MS = 10 * 60_000;
const LOOP = 3;

/** Whether an instance restarts again and again, or was killed for want of memory; by the time of the look. */
export function isCrashing({ state, observed }: InstanceRow, now: number): boolean {
  if (state !== "running" || observed === undefined) return false;
  const { restarts = 0, oomKilled = false, pid, startedAt } = observed;
  // Without a first process it waits for its next life.
  const recent = pid === undefined || startedAt === undefined || now - Date.parse(startedAt) < RECENT_MS;
  return recent && restarts >= (oomKilled ? 1 : LOOP);
}

/** One warning for each service of which instances restart again and again. Pure. */
export function crashWarnings(instances: readonly InstanceRow[], now: number): readonly Warning[] {
  const services = new Map<string, InstanceRow[]>();
  for (const row of instances) {
    if (!isCrashing(row, now)) continue;
    const name = `${row.namespace}/${row.service}`;
    services.set(name, [...(services.get(name) ?? []), row]);
  }
  return [...services].map(([service, rows]) => {
    // Whichever of its instances is listed first: the condition stays the same.
    const worst = rows.find(({ observed }) => observed?.oomKilled) ?? rows[0];
    const { id = "", machine = "", observed } = worst ?? {};
    const { restarts = 0, exitCode, oomKilled = false, hangs } = observed ?? {};
    const code = exitCode === undefined ? "" : `: last exit code ${exitCode}`;
    const hung = hangs === undefined ? "" : `, ${hangs.count} of them because it was hung (${hangs.why})`;
    const others = rows.length === 1 ? "" : ` (and ${rows.length - 1} more of ${service})`;
    return warning(oomKilled ? "out_of_memory" : "restart_loop", service, {
      message: `${id} on ${machine} restarts again and again, ${restarts} times so far${hung}${code}${oomKilled ? ", killed: out of memory" : ""}${others}`,
      hint: `see why: ployzctl logs ${service} --tail 50${oomKilled ? "; or raise resources.memory in the manifest" : ""}`,
    });
  });
}
