import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { directTraffic, gatewayTraffic, install, nothingLost } from "../../src/traffic.ts";

type Deployed = {
  readonly state: string;
  readonly changed: boolean;
  readonly ms: number;
  readonly owed: readonly unknown[];
};
type Instance = {
  readonly id: string;
  readonly service: string;
  readonly machine: string;
  readonly address: string;
  readonly state: string;
  readonly committed: boolean;
  readonly observed: { readonly pid: number } | null;
};

/** Three in CI, ten in the nightly suite. */
const ROLLS = Number(process.env.PLOYZ_E2E_ROLLS ?? 3);
const LAST = `v${ROLLS + 1}`;
const host = "www.example.test";
const machines = [1, 2, 3] as const;

describe("a service under 200 requests a second", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await openCluster({ machines: 3 });
    await deploy(1, webManifest({ version: "v1" }));
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  async function deploy(machine: number, manifest: string): Promise<Deployed> {
    const file = await cluster.put(machine, manifest, webBundle);
    const done = await cluster.json<Deployed>(machine, ["deploy", "-f", file]);
    expect(done).toMatchObject({ state: "done", owed: [] });
    return done;
  }

  /** What runs: instance, machine, address and pid of each, in order. */
  async function running(namespace = "prod"): Promise<readonly string[]> {
    const { instances } = await cluster.json<{ instances: readonly Instance[] }>(2, ["ps", namespace]);
    expect(instances.filter(({ state, committed }) => state !== "running" || !committed)).toEqual([]);
    return instances
      .map(({ id, machine, address, observed }) => `${id} ${machine} ${address} ${observed?.pid}`)
      .sort();
  }

  async function version(machine: number, of = host): Promise<unknown> {
    const { status, body } = await cluster.get(machine, of);
    return status === 200 ? (JSON.parse(body) as { version: string }).version : status;
  }

  it("rolls forward again and again, asked on one machine after the other, without losing a request", async () => {
    await using traffic = gatewayTraffic(cluster.lab, host);
    const took: number[] = [];
    for (let round = 2; round <= ROLLS + 1; round++) {
      took.push((await deploy((round % 3) + 1, webManifest({ version: `v${round}` }))).ms);
      expect(await version(1)).toBe(`v${round}`);
    }
    await nothingLost("rolls", traffic);
    console.log(`${ROLLS} rolls: ${took.join(", ")} ms`);
    expect(await running()).toHaveLength(3);
  });

  it("stops nothing that a client may still know by name", async () => {
    await using traffic = await directTraffic(cluster.lab, 3, "web.prod.cluster.local", 8080);
    for (const machine of machines) await deploy(machine, webManifest({ version: `n${machine}` }));
    await deploy(1, webManifest({ version: LAST }));
    await nothingLost("by name", traffic);
  });

  it("loses no request while daemons and followers are killed and HAProxy reloads, and restarts no instance", async () => {
    const before = await running();
    await using traffic = gatewayTraffic(cluster.lab, host);
    for (const service of ["ployzd", "ployz-gateway", "ployz-dns"])
      await Promise.all(machines.map((machine) => kill(machine, service)));
    await Promise.all(machines.map((machine) => reloadHaproxy(machine)));
    for (const machine of machines) expect(await version(machine)).toBe(LAST);
    // All is in working order again: the next change goes out everywhere.
    await deploy(2, withApi(webManifest({ version: LAST })));
    for (const machine of machines) expect(await version(machine, "api.example.test")).toBe(LAST);
    await nothingLost("kills and a reload", traffic);
    expect(await running()).toEqual(before);
  });

  async function kill(machine: number, service: string): Promise<void> {
    const home = `/run/ployz/services/${service}`;
    const pid = async () => (await cluster.lab.sh(machine, ["s6-svstat", "-o", "pid", home])).stdout.trim();
    const old = await pid();
    await cluster.lab.sh(machine, ["kill", "-9", old]);
    // Its supervisor may not have noticed yet that it is gone.
    await expect.poll(pid, { timeout: 10_000 }).not.toMatch(new RegExp(`^(${old}|-1)$`));
    await expect
      .poll(async () => (await cluster.ctl(machine, ["doctor"], { ok: [0, 1, 2, 3, 4, 5] })).exitCode, {
        timeout: 20_000,
      })
      .toBe(0);
  }

  async function reloadHaproxy(machine: number): Promise<void> {
    const master = (
      await cluster.lab.sh(machine, ["s6-svstat", "-o", "pid", "/run/ployz/services/ployz-haproxy"])
    ).stdout;
    await cluster.lab.sh(machine, ["kill", "-USR2", master.trim()]);
  }

  it("scales, changes routes, swaps stop-first, and touches no instance that stays the same", async () => {
    await using traffic = gatewayTraffic(cluster.lab, host);
    const three = await running();
    await deploy(3, withApi(webManifest({ version: LAST })));
    expect((await deploy(1, withApi(webManifest({ version: LAST })))).changed).toBe(false);
    expect(await running()).toEqual(three);

    await deploy(2, webManifest({ version: LAST, replicas: 6 }));
    expect(await version(3, "api.example.test")).toBe(404);
    const six = await running();
    expect(six).toHaveLength(6);
    expect(six).toEqual(expect.arrayContaining([...three]));
    await deploy(3, webManifest({ version: LAST, replicas: 2 }));
    const two = await running();
    expect(two).toHaveLength(2);
    expect(three).toEqual(expect.arrayContaining([...two]));

    // Another namespace comes, is replaced stop-first, and loses a service, without an effect here.
    const other = (version: string, extra = "") =>
      webManifest({
        namespace: "other",
        host: "other.example.test",
        version,
        replicas: 1,
        extra: stopFirst + extra,
      });
    await deploy(1, other("o1", side));
    for (const machine of machines) expect(await version(machine, "side.example.test")).toBe("side");
    await deploy(2, other("o2"));
    for (const machine of machines) {
      expect(await version(machine, "other.example.test")).toBe("o2");
      expect(await version(machine, "side.example.test")).toBe(404);
    }
    expect(await running("other")).toHaveLength(1);

    await nothingLost("scale and others", traffic);
    expect(await running()).toEqual(two);
  });

  it("gives a WebSocket the whole drain and the instance its farewell, and does not wait when nothing is in flight", async () => {
    const manifest = (v: string) =>
      webManifest({ version: v, replicas: 1 }).replace('drain    = "10s"', 'drain = "3s"');
    await deploy(1, manifest("s1"));
    await install(cluster.lab, 1, "socket-client.mjs", "/root/socket-client.mjs");
    const socket = cluster.lab.sh(1, [node, "/root/socket-client.mjs", host, "/"], { timeoutMs: 60_000 });
    await expect
      .poll(async () =>
        (
          await cluster.lab.sh(1, ["sh", "-c", "ss -Htn state established '( dport = :80 )' | wc -l"])
        ).stdout.trim(),
      )
      .not.toBe("0");
    const withSocket = await deploy(2, manifest("s2"));
    const report = JSON.parse((await socket).stdout.trim().split("\n").at(-1) ?? "") as Record<
      string,
      unknown
    >;
    expect(report).toMatchObject({ status: 101, how: "closed", last: expect.stringMatching(/bye$/) });
    expect(Number(report.echoed)).toBeGreaterThan(0.8 * Number(report.sent));
    expect(report.ms).toBeGreaterThan(3_000);
    expect(withSocket.ms).toBeGreaterThan(3_000);

    // Idle connections of all gateways, as a burst leaves them, are not in flight.
    await Promise.all(
      cluster.lab.addresses.map((address) =>
        cluster.lab.load(`http://${address}/?ms=50`, { rate: 200, seconds: 1, host, keepAlive: true }),
      ),
    );
    const idle = await deploy(3, manifest("s3"));
    console.log(
      `one small service: ${idle.ms} ms idle, ${withSocket.ms} ms with a WebSocket through a drain of 3 s`,
    );
    expect(idle.ms).toBeLessThan(3_000);
  });
});

const side = `
[services.side]
bundle  = "./web"
command = ["${node}", "server.mjs"]
env     = { VERSION = "side" }
ports   = { http = 8080 }
routes  = [{ host = "side.example.test", port = "http" }]
ready   = { http = "/healthz", port = "http", timeout = "20s" }
`;
const stopFirst = 'update = "stop-first"\n';
const withApi = (manifest: string): string =>
  manifest.replace('port = "http" }]', 'port = "http" }, { host = "api.example.test", port = "http" }]');
