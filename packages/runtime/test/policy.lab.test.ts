import { once } from "node:events";
import { run, spawnStream } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  applyNetworkPolicy,
  hasNetworkPolicy,
  type NetworkPolicy,
  removeNetworkPolicy,
} from "../src/index.ts";
import { ensureBridge, ensureFilter, removeBridge, removeFilter } from "../src/network/apply.ts";
import { networkFaults } from "../src/network/faults.ts";

// This machine is 10.101.1.1 with three workloads; `far` is another machine, 10.101.2.1, with a workload at 10.101.2.9 and the public address 198.51.100.2.
const network = {
  bridge: "polbr0",
  subnet: "10.101.1.0/24",
  gateway: "10.101.1.1",
  clusterCidr: "10.101.0.0/16",
  mtu: 1400,
};
const A = "10.101.1.11";
const B = "10.101.1.12";
const C = "10.101.1.13";
const FAR = "10.101.2.9";
const closed: NetworkPolicy = { groups: [], machines: [], gatewayPorts: [], udpPorts: [] };
const servers: ReturnType<typeof spawnStream>[] = [];

const ip = (line: string) => run("ip", line.split(" "));

async function serve(netns: string | undefined, ports: readonly number[]): Promise<void> {
  const program = `let left = ${ports.length}; for (const p of ${JSON.stringify(ports)}) require("net").createServer((s) => s.on("error", () => {}).end()).listen(p, "0.0.0.0", () => --left || console.log("listening"));`;
  const argv = [process.execPath, "-e", program];
  const server = spawnStream(
    netns === undefined ? process.execPath : "ip",
    netns === undefined ? argv.slice(1) : ["netns", "exec", netns, ...argv],
  );
  servers.push(server);
  server.done.catch(() => {}); // it is killed at the end
  await once(server.stdout, "data");
}

/** `open`, `refused` (an answer that says no), or `silent`. */
async function dial(from: string, address: string, port: number): Promise<string> {
  const program = `const s = require("net").connect(${port}, "${address}"); s.setTimeout(1500, () => { console.log("silent"); process.exit(); }); s.on("connect", () => { console.log("open"); process.exit(); }); s.on("error", (e) => { console.log(e.code === "ECONNREFUSED" ? "refused" : e.code); process.exit(); });`;
  const { stdout } = await run("ip", ["netns", "exec", from, process.execPath, "-e", program]);
  return stdout.trim();
}

/** What a workload's broadcasts and multicasts leave at a neighbour that listens for both. */
async function overheard(from: string, by: string): Promise<string> {
  const listens = `const s = require("dgram").createSocket("udp4"); s.on("message", (m) => console.log("heard " + m)); s.bind(5000, () => { s.addMembership("239.1.1.1"); console.log("listening"); });`;
  const listener = spawnStream("ip", ["netns", "exec", by, process.execPath, "-e", listens]);
  servers.push(listener);
  listener.done.catch(() => {});
  let heard = "";
  listener.stdout.on("data", (text: Buffer) => {
    heard += text.toString();
  });
  await once(listener.stdout, "data");
  const sends = `const s = require("dgram").createSocket("udp4"); s.bind(() => { s.setBroadcast(true); let left = 3; for (const to of ["255.255.255.255", "10.101.1.255", "239.1.1.1"]) s.send("to " + to, 5000, to, () => --left || s.close()); });`;
  await run("ip", ["netns", "exec", from, process.execPath, "-e", sends]);
  // Its own word comes after those, on the same socket.
  const last = `const s = require("dgram").createSocket("udp4"); s.send("end", 5000, "127.0.0.1", () => s.close());`;
  await run("ip", ["netns", "exec", by, process.execPath, "-e", last]);
  while (!heard.includes("heard end")) await once(listener.stdout, "data");
  listener.kill("SIGKILL");
  return heard;
}

const macOfLink = async (line: string): Promise<string> =>
  (await ip(`-br link show ${line}`)).stdout.trim().split(/\s+/)[2] ?? "";

async function workload(name: string, address: string): Promise<void> {
  await ip(`netns add ${name}`);
  await ip(`link add v${name} type veth peer name eth0 netns ${name}`);
  await ip(`link set v${name} master ${network.bridge} up`);
  await ip(`-n ${name} link set lo up`);
  await ip(`-n ${name} address add ${address}/24 dev eth0`);
  await ip(`-n ${name} link set eth0 up`);
  await ip(`-n ${name} route add default via ${network.gateway}`);
}

beforeAll(async () => {
  await ensureBridge(network);
  await ensureFilter(network, [4222]);
  await Promise.all([workload("pa", A), workload("pb", B), workload("pc", C)]);
  await ip("netns add pfar");
  await ip("link add vfar type veth peer name eth0 netns pfar");
  await ip("address add 198.51.100.1/24 dev vfar");
  await ip("link set vfar up");
  await ip("route add 10.101.2.0/24 dev vfar");
  await ip("-n pfar address add 198.51.100.2/24 dev eth0");
  await ip(`-n pfar address add ${FAR}/32 dev eth0`);
  await ip("-n pfar address add 10.101.2.1/32 dev eth0");
  await ip("-n pfar link set eth0 up");
  await ip("-n pfar route add 10.101.1.0/24 dev eth0");
  await run("sysctl", ["-w", "net.ipv4.conf.vfar.proxy_arp=1"]);
  await run("ip", ["netns", "exec", "pfar", "sysctl", "-w", "net.ipv4.conf.eth0.rp_filter=0"]);
  await Promise.all([
    ...["pa", "pb", "pc"].map((name) => serve(name, [80])),
    serve("pfar", [80, 4222, 2222]),
    serve(undefined, [8080, 2222]),
  ]);
}, 30_000);

afterAll(async () => {
  for (const server of servers) server.kill("SIGKILL");
  for (const name of ["pa", "pb", "pc", "pfar"]) await run("ip", ["netns", "delete", name]);
  await removeFilter(network);
  await removeBridge(network);
});

describe("the bridge", () => {
  test("keeps its MAC, whichever ports come and go", async () => {
    const before = await macOfLink(network.bridge);
    // A bridge without a MAC of its own takes the lowest of its ports.
    await ip("link add vlow address 02:00:00:00:00:01 type veth peer name vlowpeer");
    await ip(`link set vlow master ${network.bridge} up`);
    expect(await macOfLink(network.bridge)).toBe(before);
    await ip("link delete vlow");
    expect(await macOfLink(network.bridge)).toBe(before);
    expect(await networkFaults(network, [4222])).toEqual([]);
  });

  test("with another MAC is a fault, which the next ensureBridge mends; its neighbours lose nothing", async () => {
    expect(await dial("pa", FAR, 80)).toBe("open");
    await ip(`link set ${network.bridge} address 02:00:00:00:00:07`);
    expect(await networkFaults(network, [4222])).toEqual([
      `bridge ${network.bridge} has MAC 02:00:00:00:00:07, not 02:70:0a:65:01:01`,
    ]);
    await ip(`-n pa neigh replace ${network.gateway} dev eth0 lladdr 02:00:00:00:00:07 nud reachable`);
    await ensureBridge(network);
    expect(await dial("pa", FAR, 80)).toBe("open");
    expect(await networkFaults(network, [4222])).toEqual([]);
  });

  test("answers for a neighbour at once", async () => {
    const took: number[] = [];
    for (let n = 0; n < 5; n++) {
      await ip("-n pa neigh flush dev eth0");
      const { stdout } = await run("ip", ["netns", "exec", "pa", "ping", "-c", "1", "-W", "2", B]);
      took.push(Number(/rtt min\/avg\/max\/mdev = ([\d.]+)/.exec(stdout)?.[1]));
    }
    expect([...took].sort((a, b) => a - b)[2]).toBeLessThan(50);
  });
});

describe("without a policy", () => {
  test("a neighbour's MAC, learned while no filter was there, leads to the machine", async () => {
    const known = async () => (await ip(`-n pa neigh show ${B}`)).stdout;
    const { stdout: peer } = await ip("-n pb -br link show eth0");
    const mac = /(?:[\da-f]{2}:){5}[\da-f]{2}/.exec(peer)?.[0] ?? "none";
    await removeFilter(network);
    await ip(`-n pa neigh replace ${B} dev eth0 lladdr ${mac} nud reachable`);
    expect(await dial("pa", B, 80)).toBe("open");
    expect(await known()).toContain(mac);
    await ensureFilter(network, [4222]);
    expect(await dial("pa", B, 80)).toBe("open");
    expect(await known()).toContain(mac);
    // Asked whether it is still there, the machine answers in its place.
    await ip(`-n pa neigh replace ${B} dev eth0 lladdr ${mac} nud probe`);
    await expect.poll(known, { timeout: 10_000 }).toContain(await macOfLink(network.bridge));
    expect(await dial("pa", B, 80)).toBe("open");
  });

  test("workloads reach each other, though the ports of their bridge do not hear each other", async () => {
    expect(await hasNetworkPolicy(network)).toBe(false);
    expect(await dial("pa", B, 80)).toBe("open");
    expect(await dial("pa", FAR, 80)).toBe("open");
    const { stdout } = await ip("-n pa neigh show");
    const { stdout: bridge } = await ip(`-br link show ${network.bridge}`);
    const mac = bridge.trim().split(/\s+/)[2];
    expect(stdout).toContain(`${B} dev eth0 lladdr ${mac}`);
  });

  test("broadcasts and multicasts reach no neighbour", async () => {
    expect(await overheard("pa", "pb")).toBe("listening\nheard end\n");
  });

  test("an announcement by ARP never reaches a neighbour", async () => {
    expect(await dial("pb", C, 80)).toBe("open");
    const known = async () => /lladdr (\S+)/.exec((await ip(`-n pb neigh show ${C}`)).stdout)?.[1];
    const before = await known();
    expect(before).toBeDefined();
    // `arp_notify`: the kernel announces an address when its link comes up (ip-sysctl).
    await run("ip", ["netns", "exec", "pa", "sysctl", "-w", "net.ipv4.conf.eth0.arp_notify=1"]);
    await run("ip", ["netns", "exec", "pb", "sysctl", "-w", "net.ipv4.neigh.eth0.locktime=0"]);
    await ip(`-n pa address add ${C}/24 dev eth0`);
    for (const state of ["down", "up"]) await ip(`-n pa link set eth0 ${state}`);
    await ip(`-n pa route replace default via ${network.gateway}`);
    await ip(`-n pa address delete ${C}/24 dev eth0`);
    expect(await dial("pb", C, 80)).toBe("open");
    expect(await known()).toBe(before);
  });
});

describe("with a policy", () => {
  test("none of a group reaches no workload and no machine, but the outside", async () => {
    await applyNetworkPolicy(network, closed);
    expect(await hasNetworkPolicy(network)).toBe(true);
    expect(await dial("pa", B, 80)).toBe("refused");
    expect(await dial("pa", FAR, 80)).toBe("refused");
    expect(await dial("pa", "10.101.2.1", 2222)).toBe("refused");
    expect(await dial("pa", network.gateway, 2222)).toBe("refused");
    expect(await dial("pa", "198.51.100.1", 2222)).toBe("refused"); // another address of this machine
    expect(await dial("pa", "198.51.100.2", 2222)).toBe("open"); // the outside
  });

  test("a group reaches what it names, one way, here and elsewhere", async () => {
    await applyNetworkPolicy(network, {
      ...closed,
      groups: [
        { from: [A], to: [A, B, FAR] },
        { from: [B], to: [B] },
      ],
    });
    expect(await dial("pa", B, 80)).toBe("open");
    expect(await dial("pa", FAR, 80)).toBe("open");
    expect(await dial("pa", C, 80)).toBe("refused");
    expect(await dial("pb", A, 80)).toBe("refused");
    expect(await dial("pc", A, 80)).toBe("refused");
  });

  test("machines answer on the gateway's ports only, on every address of theirs", async () => {
    await applyNetworkPolicy(network, { ...closed, machines: ["198.51.100.2"], gatewayPorts: [80, 8080] });
    expect(await dial("pa", network.gateway, 8080)).toBe("open");
    expect(await dial("pa", network.gateway, 2222)).toBe("refused");
    expect(await dial("pa", "10.101.2.1", 80)).toBe("open");
    expect(await dial("pa", "10.101.2.1", 4222)).toBe("refused");
    expect(await dial("pa", "198.51.100.2", 2222)).toBe("refused");
    expect(await dial("pa", "198.51.100.2", 80)).toBe("open");
  });

  test("replacing it leaves open connections, and removing it opens the overlay", async () => {
    await removeNetworkPolicy(network);
    expect(await dial("pa", C, 80)).toBe("open");
    await removeNetworkPolicy(network);
    expect(await hasNetworkPolicy(network)).toBe(false);
  });

  test("an address that is none is refused before anything changes", async () => {
    const wrong = { ...closed, groups: [{ from: ["10.101.1.2 accept"], to: [] }] };
    await expect(applyNetworkPolicy(network, wrong)).rejects.toMatchObject({ code: "network_invalid" });
    expect(await hasNetworkPolicy(network)).toBe(false);
  });

  test("2,000 addresses in 100 groups are taken in a second", async () => {
    const groups = Array.from({ length: 100 }, (_, group) => ({
      from: [`10.101.1.${group + 20}`],
      to: Array.from({ length: 20 }, (__, n) => `10.101.${n + 3}.${group + 20}`),
    }));
    const before = performance.now();
    await applyNetworkPolicy(network, { ...closed, groups });
    expect(performance.now() - before).toBeLessThan(5_000);
    await removeNetworkPolicy(network);
  });
});
