import { describe, expect, test } from "vitest";
import type { MachineObservation, ObservedVolume } from "../../model/observation.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import { refuseFull } from "./pool-space.ts";
import type { VolumeDecision } from "./volumes.ts";

const GIB = 2 ** 30;
const volume = (id: string, more: Partial<ObservedVolume> = {}): ObservedVolume => ({
  ...{ id, namespace: "prod", name: "data", state: "active", guid: "1", operation: "op" },
  ...{ usedBytes: 3 * GIB, referencedBytes: 2 * GIB, ...more },
});

/** m1 has the volume v1, and m2 ten GiB of which four are free and two may be promised. */
const facts = (onM2: readonly ObservedVolume[] = []) =>
  ({
    machines: [
      { record: { id: "m1" }, observation: { volumes: [volume("v1")] } },
      {
        record: { id: "m2" },
        observation: {
          volumes: onM2,
          storage: {
            ...{ root: "tank", usedBytes: 6 * GIB, availableBytes: 4 * GIB },
            ...{ promisableBytes: 10 * GIB, promisedBytes: 8 * GIB },
          },
        } as unknown as MachineObservation,
      },
    ],
  }) as unknown as ChangeFacts;

const from = { namespace: "prod", volume: "data", id: "v1", machine: "m1" };
const spec = (quota?: number) => ({ scope: "single", ...(quota && { quotaBytes: quota * GIB }) }) as const;
const previous = { name: "data", id: "v1", guid: "1", machine: "m1", spec: spec() };
const on = (decision: object, quota?: number) =>
  ({ name: "data", machine: "m2", spec: spec(quota), ...decision }) as unknown as VolumeDecision;
const limits = { maxRounds: 5 };

describe("refuseFull", () => {
  test.each<[string, VolumeDecision[], string | undefined]>([
    ["a quota that fits", [on({ action: "create" }, 2)], undefined],
    [
      "a quota that does not",
      [on({ action: "create" }, 3)],
      "2048 MiB of the pool of m2 can still be promised, 3072",
    ],
    [
      "two that do not together",
      [on({ action: "create" }, 1), on({ action: "create", name: "b" }, 2)],
      "data, b: 2048",
    ],
    [
      "a quota that grows",
      [on({ action: "configure", previous: { ...previous, machine: "m2", spec: spec(4) } }, 6)],
      undefined,
    ],
    [
      "one that grows too far",
      [on({ action: "configure", previous: { ...previous, machine: "m2", spec: spec(4) } }, 7)],
      "3072",
    ],
    ["a copy without a quota", [on({ action: "copy", from })], undefined],
    [
      "copies that are too much",
      [
        on({ action: "copy", from }),
        on({ action: "copy", from, name: "b" }),
        on({ action: "copy", from, name: "c" }),
      ],
      "4096 MiB of the pool of m2 are free, and 6144",
    ],
    ["a clone of much more", [on({ action: "copy", from: { ...from, machine: "m2" } }, 50)], undefined],
    [
      "a file that says how much it is",
      [on({ action: "copy", from: { ...from, machine: "m2", upload: true, bytes: 5 * GIB } })],
      "5120",
    ],
    ["what moves there", [on({ action: "move", previous, limits })], undefined],
    [
      "two that move there, with their snapshots",
      [on({ action: "move", previous, limits }), on({ action: "move", previous, limits, name: "b" })],
      "6144",
    ],
    ["a kept volume", [on({ action: "keep", previous }, 50)], undefined],
  ])("%s", (_, decisions, why) => {
    const refusals = refuseFull(decisions, facts());
    if (why === undefined) expect(refusals).toEqual([]);
    else
      expect(refusals).toMatchObject([
        { code: "no_space", machine: "m2", message: expect.stringContaining(why) },
      ]);
  });

  test("goes back to where an older copy is, whatever it takes: only the difference is sent", () => {
    const moves = [
      on({ action: "move", previous, limits }),
      on({ action: "move", previous, limits, name: "b" }),
    ];
    expect(refuseFull(moves, facts([volume("v1", { state: "retired" })]))).toEqual([]);
  });
});
