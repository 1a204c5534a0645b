import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import type { GatewayList } from "@ployz/primitives/client";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { leftovers } from "../../src/leftovers.ts";

/** Machines with systemd: the effect of its commands on the daemon, a power cut, and leftovers after leaving. */
let cluster: Cluster;

type Daemon = {
  readonly pid: number;
  readonly serviceHost: string;
  readonly adoption: {
    readonly adopted: readonly string[];
    readonly recreated: readonly { readonly what: string }[];
    readonly failed: readonly unknown[];
  };
};
type Ps = {
  readonly instances: readonly {
    readonly id: string;
    readonly machine: string;
    readonly state: string;
    readonly address: string;
  }[];
};

const sh = async (i: number, script: string) => (await cluster.lab.sh(i, ["sh", "-c", script])).stdout.trim();
const systemctl = (i: number, ...args: string[]) => cluster.lab.sh(i, ["systemctl", ...args]);
const until = <T>(what: string, probe: () => Promise<T | undefined>) =>
  waitFor(what, () => probe().catch(() => undefined), { timeoutMs: 40_000, intervalMs: 200 });

/** Until the daemon of machine `i` answers, as another process than `but`. */
const daemon = (i: number, but?: number): Promise<Daemon> =>
  until(`the daemon of m${i}`, async () => {
    const status = await cluster.json<Daemon>(i, ["daemon", "status"]);
    return status.pid === but ? undefined : status;
  });

const UNITS = ["ployz-wireguard", "ployz-nats", "ployz-gateway", "ployz-dns", "ployz-haproxy"];

/** Main processes of everything that outlives the daemon, and the workload's. */
const dataPlane = (i: number) =>
  sh(
    i,
    `for unit in ${UNITS.join(" ")}; do echo "$unit $(systemctl show -p MainPID --value $unit)"; done; pgrep -fx '.*/node server.mjs' | sort`,
  );

/** What runs, with addresses, whatever order it is listed in. */
async function instances(): Promise<readonly string[]> {
  const { instances: rows } = await cluster.json<Ps>(1, ["ps"]);
  return rows.map(({ id, machine, state, address }) => `${id} ${machine} ${state} ${address}`).sort();
}

async function serves(i: number): Promise<void> {
  expect(await cluster.get(i, "www.example.test")).toMatchObject({ status: 200 });
  const names = await sh(
    i,
    `dig +short @$(ip -4 -o addr show ployz-wg0 | awk '{sub("/.*","",$4); print $4}') web.prod.cluster.local`,
  );
  expect(names.split("\n")).toHaveLength(2);
}

beforeAll(async () => {
  cluster = await openCluster({ machines: 2, kind: "systemd" });
  const file = await cluster.put(2, webManifest({ replicas: 2 }), webBundle);
  await cluster.ctl(2, ["deploy", "-f", file]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("is one enabled unit for the daemon, with units of their own for what outlives it", async () => {
  expect((await daemon(1)).serviceHost).toBe("systemd");
  expect(await sh(1, "systemctl is-enabled ployzd")).toBe("enabled");
  expect(await sh(1, `systemctl is-active ${UNITS.join(" ")}`)).toBe(UNITS.map(() => "active").join("\n"));
  expect(await sh(1, "systemctl --failed --no-legend")).toBe("");
  expect((await cluster.json<{ service: string }>(1, ["daemon", "install"])).service).toBe("unchanged");
  // Nothing that outlives the daemon is in its control group: stopping the unit in whatever way cannot reach it.
  const { pid } = await daemon(1);
  // Programs that it starts for a moment are in its group, too.
  await until("the daemon to be alone in its group", async () =>
    (await sh(
      1,
      "cat /sys/fs/cgroup/systemd/system.slice/ployzd.service/cgroup.procs 2>/dev/null || cat /sys/fs/cgroup/system.slice/ployzd.service/cgroup.procs",
    )) === String(pid)
      ? true
      : undefined,
  );
  expect(
    (await sh(1, "systemctl show -p LimitNOFILE,TasksMax,KillMode,Restart ployzd")).split("\n").sort(),
  ).toEqual(["KillMode=process", "LimitNOFILE=1048576", "Restart=always", "TasksMax=infinity"]);
});

it("what outlives the daemon runs with the rights that it needs alone", async () => {
  const shown = await sh(
    1,
    `for unit in ${UNITS.join(" ")}; do echo "$unit $(systemd-analyze security --no-pager $unit | grep -oE 'level for .*: [0-9.]+' | grep -oE '[0-9.]+$') $(grep -E '^(CapBnd|NoNewPrivs):' /proc/$(systemctl show -p MainPID --value $unit)/status | awk '{print $2}' | xargs)"; done`,
  );
  const rows = shown.split("\n").map((line) => line.split(" "));
  expect(rows.map(([unit]) => unit)).toEqual(UNITS);
  for (const [unit, score, capabilities, noNewRights] of rows) {
    expect(Number(score), unit).toBeGreaterThan(0);
    expect(Number(score), unit).toBeLessThan(3);
    expect(noNewRights, unit).toBe("1");
    // None may mount, load modules, trace, or read files of others.
    expect(
      BigInt(`0x${capabilities}`) & ((1n << 1n) | (1n << 2n) | (1n << 16n) | (1n << 19n) | (1n << 21n)),
      unit,
    ).toBe(0n);
  }
});

it("the confined gateway serves a UDP route, also to the instance that it leads to", async () => {
  const manifest = `namespace = "udp"
[services.echo]
bundle = "./udp"
command = ["${node}", "server.mjs"]
ports = { echo = 7000 }
routes = [{ udp = 9053, port = "echo" }]
`;
  const file = await cluster.put(1, manifest, { udp: join(fixtures, "udp") });
  await cluster.ctl(1, ["deploy", "-f", file]);
  const { gateways } = await cluster.json<GatewayList>(1, ["gateway", "show"]);
  for (const { gateway } of gateways) expect(gateway?.dropped).toEqual([]);
  const [echo] = (await cluster.json<Ps>(1, ["ps", "udp"])).instances;
  const own = `10.101.${echo?.machine.slice(1)}.1`;
  const ask = `const s = require("dgram").createSocket("udp4"); s.on("message", (m) => { console.log(String(m)); process.exit(); }); s.send("via ${own} 9053 x", 9053, "${own}"); setTimeout(process.exit, 5000, 1);`;
  for (const seen of [0, 1]) {
    for (const i of [1, 2]) await sh(i, `sysctl -w net.bridge.bridge-nf-call-iptables=${seen}`);
    const { stdout } = await cluster.lab.sh(1, [node, "-e", ask]);
    expect(JSON.parse(stdout)).toMatchObject({ from: own, address: echo?.address });
  }
  await cluster.ctl(1, ["namespace", "rm", "udp", "--yes"]);
});

it("units do what a service host promises: quoting, replacing, children that live on, removal", async () => {
  const { outputFiles } = await build({
    entryPoints: [join(fixtures, "systemd-host.ts")],
    ...{ bundle: true, platform: "node", format: "esm", target: "node20", write: false },
    conditions: ["@ployz/source"],
    // Some of its dependencies are CommonJS.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire("/");' },
  });
  const { stdout } = await cluster.lab.sh(1, [node, "--input-type=module", "-"], {
    input: outputFiles[0]?.text ?? "",
    timeoutMs: 120_000,
  });
  expect(stdout).toContain("all of it");
});

it("restart, kill -9, and stop with start of the daemon change nothing else, and it adopts what runs", async () => {
  const before = await dataPlane(1);
  const adopts = async (from: number) => {
    const { pid, adoption } = await daemon(1, from);
    expect(adoption).toMatchObject({
      adopted: [expect.stringContaining("prod.web.")],
      recreated: [],
      failed: [],
    });
    expect(await dataPlane(1)).toBe(before);
    return pid;
  };
  let { pid } = await daemon(1);
  await systemctl(1, "restart", "ployzd");
  pid = await adopts(pid);
  await cluster.lab.sh(1, ["kill", "-9", String(pid)]);
  pid = await adopts(pid);
  await systemctl(1, "stop", "ployzd");
  await serves(1);
  expect(await dataPlane(1)).toBe(before);
  await systemctl(1, "start", "ployzd");
  await adopts(pid);
  expect(await sh(1, "journalctl -u ployzd --no-pager | grep -c 'left-over process' || true")).toBe("0");
});

it("systemd knows what serves, and starts a daemon or a follower again that hangs, with everything else as it was", async () => {
  const told = ["ployzd", "ployz-gateway", "ployz-dns", "ployz-haproxy"];
  expect(
    await sh(
      1,
      `for unit in ${told.join(" ")}; do systemctl show -p Type,SubState --value $unit | xargs; done`,
    ),
  ).toBe(told.map(() => "notify running").join("\n"));
  const hung = ["ployzd", "ployz-gateway", "ployz-dns"];
  const main = (unit: string) => sh(1, `systemctl show -p MainPID --value ${unit}`);
  const rest = () =>
    sh(
      1,
      `for unit in ployz-wireguard ployz-nats ployz-haproxy; do systemctl show -p MainPID --value $unit; done; pgrep -fx '.*/node server.mjs' | sort`,
    );
  const [before, pids] = [await rest(), await Promise.all(hung.map(main))];
  await cluster.lab.sh(1, ["kill", "-STOP", ...pids]);
  expect(await cluster.get(1, "www.example.test")).toMatchObject({ status: 200 });
  await waitFor(
    "systemd to start them again",
    async () => {
      const now = await Promise.all(hung.map(main));
      return now.every((pid, index) => pid !== "0" && pid !== pids[index]) ? true : undefined;
    },
    { timeoutMs: 150_000, intervalMs: 1_000 },
  );
  expect((await daemon(1, Number(pids[0]))).adoption).toMatchObject({ recreated: [], failed: [] });
  await until("the gateway and DNS", () => serves(1).then(() => true));
  expect(await rest()).toBe(before);
});

it("a power cut of all machines at once: everything is back by itself, with the same addresses", async () => {
  const before = await instances();
  for (const i of [1, 2]) await cluster.lab.cut(i);
  await Promise.all([1, 2].map((i) => cluster.lab.on(i)));
  for (const i of [1, 2]) expect((await daemon(i)).adoption.failed).toEqual([]);
  await until("both instances", async () =>
    JSON.stringify(await instances()) === JSON.stringify(before) ? true : undefined,
  );
  for (const i of [1, 2]) {
    await until(`the gateway and DNS of m${i}`, () => serves(i).then(() => true));
    expect(await sh(i, "systemctl --failed --no-legend")).toBe("");
  }
});

it("after leave, destroy and uninstall nothing is left on either machine", async () => {
  await cluster.ctl(2, ["mesh", "leave"]);
  await cluster.ctl(1, ["mesh", "destroy", "--yes"]);
  for (const i of [1, 2]) {
    await cluster.ctl(i, ["daemon", "uninstall"]);
    // The log folder and the configuration stay until --purge.
    expect(
      (await leftovers(cluster, i)).filter((line) => !/^file: \/(var\/lib|etc)\/ployz$/.test(line)),
    ).toEqual([]);
    await cluster.ctl(i, ["daemon", "uninstall", "--purge"]);
    expect(await leftovers(cluster, i)).toEqual([]);
  }
});
