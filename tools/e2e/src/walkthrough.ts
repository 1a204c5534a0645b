import type { LabKind } from "@ployz/lab";
import { expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle, webManifest } from "./cluster.ts";

type Machines = {
  readonly machines: readonly {
    readonly reachable: boolean;
    readonly record: { readonly id: string; readonly state: string; readonly address: string };
  }[];
};
type Rtt = {
  readonly rows: readonly { readonly from: string; readonly to: string; readonly rttMs: number | null }[];
};
type Deployed = {
  readonly kind: string;
  readonly operation: string;
  readonly changed: boolean;
  readonly state: string;
};
type Ps = {
  readonly instances: readonly {
    readonly machine: string;
    readonly state: string;
    readonly address: string;
    readonly service: string;
  }[];
};

/** The README's walk-through, from machines with only sshd to a service that every machine serves. */
export function walkthrough(kind: LabKind): void {
  it(`forms a cluster of three ${kind} machines, deploys from any of them, and reaches it from everywhere`, async () => {
    await using cluster = await openCluster({ machines: 3, kind, installed: 1, atOnce: true });

    const { machines } = await cluster.json<Machines>(1, ["machine", "ls"]);
    expect(machines.map(({ record, reachable }) => [record.id, record.state, reachable])).toEqual([
      ["m1", "active", true],
      ["m2", "active", true],
      ["m3", "active", true],
    ]);
    const { rows } = await cluster.json<Rtt>(1, ["machine", "rtt"]);
    expect(rows).toHaveLength(6);
    expect(rows.filter(({ rttMs }) => rttMs === null)).toEqual([]);

    const file = await cluster.put(2, `${webManifest()}\n${asker}`, webBundle);
    const preview = await cluster.ctl(2, ["deploy", "-n", "-f", file]);
    expect(preview.stdout).toContain("web");
    expect((await cluster.json<Ps>(3, ["ps"])).instances).toEqual([]);

    const deployed = await cluster.json<Deployed>(2, ["deploy", "-f", file]);
    expect(deployed).toMatchObject({ kind: "operation", state: "done", changed: true });
    const { instances } = await cluster.json<Ps>(3, ["ps"]);
    expect(instances.every(({ state }) => state === "running")).toBe(true);
    expect(
      new Set(instances.filter(({ service }) => service === "web").map(({ machine }) => machine)),
    ).toEqual(new Set(["m1", "m2", "m3"]));
    expect(
      await cluster.json<Deployed>(3, [
        "deploy",
        "-f",
        await cluster.put(3, `${webManifest()}\n${asker}`, webBundle),
      ]),
    ).toMatchObject({ changed: false });

    for (const machine of [1, 2, 3])
      await reached(cluster, machine, machines[machine - 1]?.record.address ?? "");
    await looks(cluster, deployed.operation);
  });
}

const asker = `
[services.asker]
bundle  = "./web"
command = ["${node}", "server.mjs"]
env     = { VERSION = "asker" }
ports   = { http = 8080 }
routes  = [{ host = "asker.example.test", port = "http" }]
ready   = { http = "/healthz", port = "http", timeout = "20s" }
`;

async function reached(cluster: Cluster, machine: number, dns: string): Promise<void> {
  const answer = await cluster.get(machine, "www.example.test");
  expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('"version":"v1"') });
  const dig = await cluster.lab.sh(machine, ["dig", "+short", `@${dns}`, "web.prod.cluster.local"]);
  expect(dig.stdout.trim().split("\n")).toHaveLength(3);
  // A workload resolves the plain name of its own namespace.
  const asked = await cluster.get(
    machine,
    "asker.example.test",
    `/ask?url=${encodeURIComponent("http://web:8080/")}`,
  );
  expect(asked.body).toContain('"version":"v1"');
}

async function looks(cluster: Cluster, operation: string): Promise<void> {
  const logs = await cluster.ctl(3, ["logs", "prod/web"]);
  expect(logs.stdout.match(/v1 starting/g)).toHaveLength(3);
  expect(
    (await cluster.json<{ namespaces: readonly { namespace: string }[] }>(3, ["status"])).namespaces,
  ).toMatchObject([{ namespace: "prod", running: 4, wanted: 4 }]);
  expect(await cluster.json<{ ok: boolean }>(3, ["doctor"])).toMatchObject({ kind: "doctor", ok: true });
  const listed = await cluster.json<{ operations: readonly { operation: string; state: string }[] }>(3, [
    "ops",
    "ls",
  ]);
  expect(listed.operations.find((entry) => entry.operation === operation)?.state).toBe("done");
  expect((await cluster.ctl(3, ["ops", "show", operation])).stdout).toContain("prod");
}
