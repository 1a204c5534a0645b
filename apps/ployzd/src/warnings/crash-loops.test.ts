import type { InstanceRow } from "@ployz/primitives/client";
import type { ObservedInstance } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { crashWarnings } from "./crash-loops.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const row = (observed: Partial<ObservedInstance>, slot = 0): InstanceRow =>
  ({
    ...{ id: `prod.web.${slot}.x`, namespace: "prod", service: "web", slot, machine: "m1", state: "running" },
    observed,
  }) as InstanceRow;
const began = (minutesAgo: number) => ({
  pid: 7,
  startedAt: new Date(NOW - minutesAgo * 60_000).toISOString(),
});
const warnings = (...rows: InstanceRow[]) => crashWarnings(rows, NOW);

test("an instance that restarts again and again is warned of, with exit code, memory and where to look", () => {
  expect(warnings(row({ restarts: 8, exitCode: 3, ...began(0) }))).toEqual([
    {
      ...{ code: "restart_loop", about: "prod/web" },
      message: "prod.web.0.x on m1 restarts again and again, 8 times so far: last exit code 3",
      hint: "see why: ployzctl logs prod/web --tail 50",
    },
  ]);
  const [killed] = warnings(row({ restarts: 1, exitCode: 137, oomKilled: true }));
  expect(killed?.message).toMatch(/exit code 137, killed: out of memory$/);
  expect(killed?.hint).toMatch(/resources\.memory/);
  expect(warnings(row({ restarts: 5, ...began(1) }), row({ restarts: 5 }, 1))).toHaveLength(1);
});

test("one that came up again, restarted once, or was seen by an older daemon is not", () => {
  for (const seen of [{ restarts: 8, ...began(11) }, { restarts: 2, ...began(0) }, began(0), {}])
    expect(warnings(row(seen))).toEqual([]);
  expect(warnings({ ...row({}), state: "unknown" })).toEqual([]);
});

test("a service of which one instance was out of memory has that condition, in whichever order they are listed", () => {
  const [loop, killed] = [row({ restarts: 5, exitCode: 3 }), row({ restarts: 1, oomKilled: true }, 1)];
  for (const rows of [
    [loop, killed],
    [killed, loop],
  ])
    expect(warnings(...rows)).toMatchObject([
      { code: "out_of_memory", message: expect.stringContaining("prod.web.1.x") },
    ]);
});
