import { readFile } from "node:fs/promises";
import { get } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { MachineObservation, OperationEvent } from "@ployz/primitives/protocol";
import { expect, onTestFinished, test } from "vitest";
import { openMetrics } from "./metrics.ts";
import type { Snapshot } from "./samples.ts";
import { serveMetrics } from "./serve.ts";

const observation: MachineObservation = {
  ...{ machine: "m1", version: "1", build: "b", runtime: "process", runtimeVersion: "1", arch: "x64" },
  ...{ cpus: 2, memoryBytes: 1024, memoryFreeBytes: 512, diskFreeBytes: 99, draining: true, load1: 0.5 },
  storage: {
    ...{ root: "tank", availableBytes: 10, usedBytes: 5, promisedBytes: 3, promisableBytes: 15 },
  },
  volumes: [
    {
      ...{ id: "v1", namespace: "prod", name: "pgdata", state: "active", guid: "g", operation: "o" },
      ...{ usedBytes: 7, referencedBytes: 6 },
    },
  ],
  instances: [
    {
      ...{ id: "prod.web.1", namespace: "prod", service: "web", slot: 1, kind: "service", revision: "r" },
      ...{ operation: "o", state: "running", address: "10.0.0.2", restarts: 4, memoryBytes: 2048 },
      cpuNanos: 2_500_000_000,
    },
    {
      ...{ id: "prod.job", namespace: "prod", service: "job", slot: 1, kind: "job", revision: "r" },
      ...{ operation: "o", state: "exited", address: "10.0.0.3" },
    },
  ],
  problems: ["one"],
};

const snapshot: Snapshot = {
  observation,
  peers: { m2: { publicKey: "k", allowedIps: [], receivedBytes: 11, sentBytes: 12 } },
  followers: {
    gateway: { applied: {}, status: { down: ["prod/web/http web.1"] } },
    dns: undefined,
  },
  storeConnected: true,
  mirror: { commits: 41, facts: 42 },
  operationsRunning: 1,
  conditions: [
    {
      ...{ code: "machine_unreachable", about: "m2", message: "m2", hint: "" },
      since: "2026-01-01T00:00:00Z",
    },
  ],
};

const opened = (look: () => Promise<Snapshot> = async () => snapshot) =>
  openMetrics({ version: "0.4.0", machine: "m1", look });

const lines = async (text: Promise<string>): Promise<readonly string[]> =>
  (await text).split("\n").filter((line) => line.startsWith("ployz_"));

test("a scrape shows the machine, its volumes, its services' instances, its peers", async () => {
  const text = await lines(opened().text());
  for (const line of [
    'ployz_build_info{version="0.4.0",machine="m1"} 1',
    "ployz_machine_draining 1",
    "ployz_pool_available_bytes 10",
    'ployz_volume_used_bytes{namespace="prod",volume="pgdata",state="active",id="v1"} 7',
    'ployz_instance_cpu_seconds_total{namespace="prod",service="web",slot="1",id="prod.web.1"} 2.5',
    'ployz_instance_restarts_total{namespace="prod",service="web",slot="1",id="prod.web.1"} 4',
    'ployz_mirror_sequence{stream="facts"} 42',
    'ployz_follower_up{follower="gateway"} 1',
    'ployz_follower_up{follower="dns"} 0',
    "ployz_gateway_servers_down 1",
    'ployz_wireguard_received_bytes_total{peer="m2"} 11',
  ])
    expect(text).toContain(line);
  // It has no quota, never shook hands, and jobs are not instances of services.
  expect(text.filter((line) => /quota_bytes\{|handshake_seconds\{|service="job"/.test(line))).toEqual([]);
});

test("the next scrape shows the present values alone", async () => {
  let present = snapshot;
  const metrics = opened(async () => present);
  await metrics.text();
  present = { ...snapshot, observation: { ...observation, instances: [] }, storeConnected: false };
  const text = await lines(metrics.text());
  expect(text.filter((line) => line.startsWith("ployz_instance_running{"))).toEqual([]);
  expect(text).toContain("ployz_store_connected 0");
  present = snapshot;
  expect(await lines(metrics.text())).toContain(
    'ployz_instance_restarts_total{namespace="prod",service="web",slot="1",id="prod.web.1"} 4',
  );
});

test("a machine that does not answer leaves the rest", async () => {
  const text = await lines(opened(async () => ({ ...snapshot, observation: undefined })).text());
  expect(text).toContain("ployz_store_connected 1");
  expect(text.filter((line) => /^ployz_machine_|^ployz_instance_/.test(line))).toEqual([]);
});

test("scrapes at the same time share one look", async () => {
  let looks = 0;
  const metrics = opened(async () => {
    looks += 1;
    return snapshot;
  });
  await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
  expect(looks).toBe(1);
  await metrics.text();
  expect(looks).toBe(2);
});

test("operations are counted by primitive and end, steps by how they ended", async () => {
  const metrics = opened();
  const step = (state: "started" | "done" | "failed"): OperationEvent => ({
    ...{ type: "step", step: "s", title: "t", state },
  });
  metrics.operation(step("started"));
  metrics.operation(step("done"));
  metrics.operation({
    type: "result",
    result: {
      ...{ kind: "operation", operation: "o", primitive: "deploy", state: "done", changed: true },
      ...{ output: null, owed: [], warnings: [], ms: 2_000 },
    },
  });
  metrics.call("instance.start", "machine_unreachable", 0.2);
  const text = await lines(metrics.text());
  expect(text).toContain('ployz_operation_steps_total{state="done"} 1');
  expect(text.some((line) => line.includes('state="started"'))).toBe(false);
  expect(text).toContain('ployz_operation_duration_seconds_sum{primitive="deploy",state="done"} 2');
  expect(text).toContain(
    'ployz_call_duration_seconds_count{command="instance.start",result="machine_unreachable"} 1',
  );
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const fetched = (port: number, path: string, method = "GET") =>
  new Promise<{ readonly status: number | undefined; readonly text: string }>((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, method }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode, text }));
    }).once("error", reject);
  });

test("served at /metrics only, to readers only", async () => {
  const port = await freePort();
  const server = await serveMetrics(`127.0.0.1:${port}`, opened(), () => {});
  onTestFinished(server.close);
  const { status, text } = await fetched(port, "/metrics");
  expect([status, text.includes("ployz_store_connected 1")]).toEqual([200, true]);
  expect((await fetched(port, "/")).status).toBe(404);
  expect((await fetched(port, "/metrics", "DELETE")).status).toBe(405);
});

test("a look that does not end is 503 in time, one that fails is 500 and logged", async () => {
  const port = await freePort();
  const logged: unknown[] = [];
  let text = (): Promise<string> => new Promise(() => {});
  const metrics = { contentType: "text/plain", text: () => text() };
  const server = await serveMetrics(`127.0.0.1:${port}`, metrics, (error) => logged.push(error), 20);
  onTestFinished(server.close);
  expect((await fetched(port, "/metrics")).status).toBe(503);
  const broken = new Error("broken");
  text = () => Promise.reject(broken);
  expect((await fetched(port, "/metrics")).status).toBe(500);
  expect(logged).toEqual([broken]);
});

test("the rules and the dashboard of examples/observability name metrics that exist", async () => {
  const metrics = opened();
  const served = new Set((await metrics.text()).match(/^# TYPE \S+/gm)?.map((line) => line.slice(7)));
  const named = await Promise.all(
    ["alerts.yml", "dashboard.json"].map(async (file) => {
      const text = await readFile(
        new URL(`../../../../examples/observability/${file}`, import.meta.url),
        "utf8",
      );
      return text.match(/\b(?:ployz|process|nodejs)_[a-z0-9_]+/g) ?? [];
    }),
  );
  const bases = named
    .flat()
    .map((name) => (served.has(name) ? name : name.replace(/_(bucket|count|sum)$/, "")));
  expect(bases.length).toBeGreaterThan(20);
  expect(bases.filter((name) => !served.has(name))).toEqual([]);
});
