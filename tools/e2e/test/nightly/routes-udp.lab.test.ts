import { join } from "node:path";
import type { GatewayList } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster } from "../../src/cluster.ts";
import { type Datagrams, openDatagrams } from "../../src/datagrams.ts";
import { daemonStatus, within } from "../../src/survive.ts";

const PORT = 9053;
const MACHINES = [1, 2, 3];

const manifest = ({ version = "v1", replicas = 1, route = `{ udp = ${PORT}, port = "echo" }` }) =>
  `namespace = "prod"
[services.echo]
bundle = "./udp"
command = ["${node}", "server.mjs"]
ports = { echo = 7000 }
env = { VERSION = "${version}" }
replicas = ${replicas}
routes = [${route}]
`;

/** One cluster through it all: each test begins where the one before it ended. */
let cluster: Cluster;
let clients: Datagrams;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  clients = await openDatagrams(cluster.lab);
});
afterAll(async () => {
  await clients?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

const deploy = async (
  what: Parameters<typeof manifest>[0],
  { more = [], ok = [0] }: { readonly more?: readonly string[]; readonly ok?: readonly number[] } = {},
) => {
  const file = await cluster.put(1, manifest(what), { udp: join(fixtures, "udp") });
  return cluster.ctl(1, ["deploy", "-f", file, ...more, "--json"], { ok });
};
const at = (i: number): string => cluster.lab.addresses[i - 1] ?? "";

it("refuses ports that are kept, in the manifest and in the plan", async () => {
  for (const port of [22, 443, 51820]) {
    const { stdout } = await deploy({ route: `{ udp = ${port} }` }, { ok: [2] });
    expect(stdout).toContain(`port ${port} is kept for`);
  }
  const hold = `require("dgram").createSocket("udp4").bind(9054, "0.0.0.0")`;
  const { stdout: pid } = await cluster.lab.sh(2, [
    "sh",
    "-c",
    `setsid ${node} -e '${hold}' >/dev/null 2>&1 & echo $!`,
  ]);
  await within("the plan knows the program's port", 20_000, async () => {
    const { stdout } = await deploy({ route: "{ udp = 9054 }" }, { more: ["-n"], ok: [0, 3] });
    return stdout.includes("another program listens on UDP port 9054 of m2") || undefined;
  });
  await cluster.lab.sh(2, ["kill", pid.trim()]);
});

it("answers at every machine, wherever the only instance is, and shows the route", async () => {
  await deploy({});
  for (const i of MACHINES)
    expect(await clients.echo(at(i), PORT)).toMatchObject({ version: "v1", from: `10.101.${i}.1` });
  // The instance itself too, also where the kernel shows frames of bridges to iptables.
  for (const seen of [0, 1]) {
    for (const i of MACHINES)
      await cluster.lab.sh(i, ["sysctl", "-w", `net.bridge.bridge-nf-call-iptables=${seen}`]);
    for (const i of MACHINES)
      expect(await clients.echo(at(i), PORT, { text: `via 10.101.${i}.1 ${PORT}` })).toMatchObject({
        ...{ version: "v1", from: `10.101.${i}.1` },
      });
  }
  expect((await cluster.ctl(2, ["route", "ls"])).stdout).toContain(`udp:${PORT}`);
  const { gateways } = await cluster.json<GatewayList>(2, ["gateway", "show"]);
  for (const { gateway } of gateways)
    expect(gateway).toMatchObject({
      routes: [{ place: `udp:${PORT}`, kind: "udp", to: "prod/echo/echo" }],
      servers: [{ backend: "prod/echo/echo", state: "up" }],
      dropped: [],
    });
  const other = await cluster.put(2, manifest({}).replace('"prod"', '"dev"'), {
    udp: join(fixtures, "udp"),
  });
  const { stdout } = await cluster.ctl(2, ["deploy", "-f", other, "--json"], { ok: [3] });
  expect(stdout).toContain("route_taken");
});

it("keeps a client at one instance, the same one at every machine, and uses all of them", async () => {
  await deploy({ replicas: 3 });
  const answered = new Map<string, number>();
  for (let n = 0; n < 60; n++) {
    const client = `sticky ${n}`;
    const seen = new Set<string | undefined>();
    for (const i of [1, 2, 3, 1, 2, 3]) seen.add((await clients.echo(at(i), PORT, { client }))?.address);
    const [address] = seen;
    expect([client, ...seen]).toEqual([client, expect.any(String)]);
    answered.set(address ?? "", (answered.get(address ?? "") ?? 0) + 1);
  }
  console.log("flows by instance", Object.fromEntries(answered));
  expect(answered.size).toBe(3);
  expect(Math.min(...answered.values())).toBeGreaterThan(5);
});

it("moves the flows of live clients at the flip of a deploy", async () => {
  let ended = false;
  const following = Array.from({ length: 12 }, async (_, index) => {
    const versions: string[] = [];
    let lost = 0;
    let sent = 0;
    while (!ended) {
      sent++;
      const at3 = at(1 + (index % 3));
      const version = (await clients.echo(at3, PORT, { client: `live ${index}` }))?.version;
      if (version === undefined) lost++;
      else if (versions.at(-1) !== version) versions.push(version);
      // An answer a client at a time: as fast as the machine is.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return { versions, lost, sent };
  });
  await deploy({ version: "v2", replicas: 3 });
  for (const i of MACHINES) expect((await clients.echo(at(i), PORT))?.version).toBe("v2");
  ended = true;
  const results = await Promise.all(following);
  const lost = results.reduce((sum, one) => sum + one.lost, 0);
  const sent = results.reduce((sum, one) => sum + one.sent, 0);
  console.log(`${lost} of ${sent} datagrams without an answer`);
  // Those that are under way to an instance when it ends.
  expect(lost).toBeLessThanOrEqual(12);
  for (const { versions } of results) expect(versions).toEqual(["v1", "v2"]);
});

it("lets workloads of other namespaces use the route, and not the instance", async () => {
  const web = manifest({ route: "{ udp = 9055 }" }).replace('"prod"', '"asker"');
  const file = await cluster.put(3, web, { udp: join(fixtures, "udp") });
  await cluster.ctl(3, ["deploy", "-f", file, "--json"]);
  const { instances } = await cluster.json<{
    instances: readonly { readonly id: string; readonly address: string }[];
  }>(1, ["ps"]);
  const targets = instances.filter(({ id }) => id.startsWith("prod.")).map(({ address }) => address);
  expect(targets).toHaveLength(3);
  for (const i of MACHINES)
    expect(await clients.echo(at(1), 9055, { text: `via 10.101.${i}.1 ${PORT}` })).toMatchObject({
      version: "v2",
      from: `10.101.${i}.1`,
    });
  for (const address of targets)
    expect(await clients.ask(at(1), 9055, { text: `via ${address} 7000` })).not.toContain("version");
  await cluster.ctl(3, ["namespace", "rm", "asker", "--yes"]);
  expect(await clients.ask(at(1), 9055)).toBeUndefined();
});

it("comes back after all rules were flushed, for a client that keeps sending too", async () => {
  const ask = () => clients.ask(at(2), PORT, { client: "keeps sending", ms: 300 });
  expect(await ask()).toContain("v2");
  await cluster.lab.sh(2, ["nft", "flush", "ruleset"]);
  expect(await ask()).toBeUndefined();
  await within("the rules are back", 60_000, ask);
});

it("gives no flow to an instance whose machine has no power, and takes it back", async () => {
  await cluster.lab.cut(3);
  await within("all clients are answered", 60_000, async () => {
    for (let n = 0; n < 12; n++)
      if ((await clients.ask(at(1), PORT, { client: `cut ${n}`, ms: 400 })) === undefined) return undefined;
    return true;
  });
  const { gateways } = await cluster.json<GatewayList>(1, ["gateway", "show", "--machine", "m1"]);
  expect(gateways[0]?.gateway?.servers.filter(({ state }) => state === "down")).toHaveLength(1);
  await cluster.lab.on(3);
  await within("all instances answer again", 120_000, async () => {
    const there = new Set<string | undefined>();
    for (let n = 0; n < 12; n++)
      there.add((await clients.echo(at(1), PORT, { client: `cut ${n}` }))?.address);
    return (there.size === 3 && !there.has(undefined)) || undefined;
  });
});

it("serves without the daemon, whose follower puts the rules back, and without that", async () => {
  await cluster.lab.sh(2, ["s6-svc", "-wD", "-T", "20000", "-d", "/run/ployz/services/ployzd"]);
  expect(await clients.ask(at(2), PORT)).toContain("v2");
  await cluster.lab.sh(2, ["nft", "flush", "ruleset"]);
  await within("the rules are back without ployzd", 60_000, async () => clients.ask(at(2), PORT));
  await cluster.lab.sh(2, ["s6-svc", "-wD", "-T", "20000", "-d", "/run/ployz/services/ployz-gateway"]);
  expect(await clients.ask(at(2), PORT)).toContain("v2");
  await cluster.lab.sh(2, ["s6-svc", "-u", "/run/ployz/services/ployz-gateway"]);
  await cluster.lab.sh(2, ["s6-svc", "-u", "/run/ployz/services/ployzd"]);
  await within("the daemon of m2 answers", 120_000, () => daemonStatus(cluster, 2));
});

it("leaves no rule behind when the namespace goes", async () => {
  await within("the namespace is removed", 60_000, async () => {
    await cluster.ctl(1, ["namespace", "rm", "prod", "--yes"]);
    return true;
  });
  for (const i of MACHINES) {
    const { stdout } = await cluster.lab.sh(i, ["nft", "list", "tables"]);
    expect(stdout).toContain("table inet ployz_ployz0");
    expect(stdout).not.toContain("_udp");
  }
});
