import { validateTable } from "@ployz/gateway";
import { renderConfig } from "@ployz/nats-store";
import { parseManifest } from "@ployz/primitives";
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

it("the gateway takes a route at every limit of a manifest", () => {
  const header = { "X-A": letters(LIMITS.headers - "X-A".length) };
  const to = `https://${letters(63)}.test/`;
  const redirect = `${to}${letters(2048 - to.length)}`;
  const path = `/${letters(1023)}`;
  const web = { image: "nginx", ports: { http: 80 } };
  const routes = [
    { host: "a.test", path, port: "http", add_prefix: path, headers: { request: header, response: header } },
    { host: "b.test", redirect },
    { host: "c.test", path: "/old", redirect: path.padEnd(2048, "a") },
  ];
  const text = JSON.stringify({ namespace: "prod", services: { web: { ...web, routes } } });
  const parsed = parseManifest(text, "json");
  expect(parsed.ok ? [] : parsed.refusals).toEqual([]);
  const backend = { id: `${LONGEST}/${LONGEST}/${letters(LIMITS.portName)}`, servers: [] };
  const options = { addPrefix: path, requestHeaders: header, responseHeaders: header };
  const table = validateTable({
    version: "1",
    routes: [
      { kind: "http", id: "a", host: "a.test", path, backend, options },
      ...[redirect, path.padEnd(2048, "a")].map((one, index) => ({
        ...{ kind: "redirect" as const, id: `${index}`, host: `${index}.test`, path: "/" },
        ...{ to: one, status: 308 as const },
      })),
    ],
  });
  expect(table).toEqual([]);
});
