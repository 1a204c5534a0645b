import { renderConfig } from "@ployz/nats-store";
import { datasetLength, LIMITS } from "@ployz/primitives/protocol";
import { checkSpec } from "@ployz/runtime";
import { checkSnapshotName } from "@ployz/zfs";
import { expect, it } from "vitest";
import { instanceSpec } from "./instances.ts";
import { asideDataset, incomingDataset, layoutOf, volumeDataset } from "./volumes/layout.ts";

/** What a plan lets through, the drivers carry out. */
const letters = (count: number): string => "a".repeat(count);
const OPERATION = "01J0000000000000000AAAA001";
const LONGEST = letters(LIMITS.name);

it("the runtimes take an instance at every limit of the model", async () => {
  const start = {
    id: `${LONGEST}.${LONGEST}.1000.aaaaa001`,
    ...{ namespace: LONGEST, service: LONGEST, slot: 1000, revision: "r", operation: OPERATION },
    kind: "service" as const,
    address: "10.101.1.2",
    bundle: { digest: "d" },
    command: ["w".repeat(LIMITS.word)],
    env: { [letters(LIMITS.variableName)]: "v".repeat(LIMITS.word) },
    user: `${LIMITS.uid}:${LIMITS.uid}`,
    resources: { cpus: 0.01, memoryBytes: LIMITS.memory, pids: LIMITS.pids },
    stopGraceMs: LIMITS.duration,
    volumes: [{ id: "v", target: `/${letters(LIMITS.pathComponent)}`, scope: "single" as const }],
  };
  const spec = await instanceSpec(start, {
    address: "10.101.1.1",
    bundles: { path: () => "/b" } as never,
    volumes: { path: () => "/v" } as never,
    secrets: { values: async () => ({}) } as never,
    files: { write: async () => [] } as never,
  });
  expect(checkSpec(spec)).toEqual(spec);
});

it("ZFS takes every name of a volume that the model lets through", () => {
  const layout = layoutOf(letters(LIMITS.zfsRoot), "/mnt");
  for (let namespace = 1; namespace <= LIMITS.name; namespace++) {
    for (let name = 1; name <= LIMITS.name; name++) {
      const id = `${letters(namespace)}.${letters(name)}.aaaaa001`;
      const snapshot = `${OPERATION.toLowerCase()}-r20`;
      if (datasetLength({ namespace: letters(namespace), id }) > LIMITS.dataset) continue;
      for (const dataset of [
        volumeDataset(layout, letters(namespace), id),
        incomingDataset(layout, id),
        asideDataset(layout, id, "0123456789"),
      ])
        checkSnapshotName(`${dataset}@${snapshot}`);
    }
  }
});

it("the store takes a message as large as a plan may be", () => {
  const config = renderConfig({
    ...{ cluster: "c", machine: "m1", generation: 1, listen: { host: "10.101.1.1", port: 4222 } },
    ...{ monitorPort: 8222, dir: "/s", users: [] },
  });
  const most = Number(/^max_payload: (\d+)$/m.exec(config)?.[1]);
  expect(most).toBeGreaterThanOrEqual(LIMITS.message + 64 * 1024);
});
