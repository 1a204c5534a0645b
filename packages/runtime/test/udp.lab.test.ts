import { once } from "node:events";
import { run, spawnStream } from "@ployz/exec";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applyUdpRoutes, sendBack } from "../src/index.ts";
import { ensureBridge, ensureFilter, removeBridge, removeFilter } from "../src/network/apply.ts";

// This machine with two workloads, one of which answers datagrams with the address that it sees.
const network = {
  bridge: "udpbr0",
  subnet: "10.101.1.0/24",
  gateway: "10.101.1.1",
  clusterCidr: "10.101.0.0/16",
  mtu: 1400,
};
const ROUTES = {
  addresses: ["0.0.0.0"],
  routes: [{ listenPort: 9053, servers: [{ address: "10.101.1.11", port: 7000 }] }],
};
const ip = (line: string) => run("ip", line.split(" "));
const inside = (netns: string, program: string) =>
  spawnStream("ip", ["netns", "exec", netns, process.execPath, "-e", program]);
let server: ReturnType<typeof spawnStream>;

async function port(name: string): Promise<void> {
  const host = name === "ua" ? 11 : 12;
  await ip(`link add v${name} type veth peer name eth0 address 02:70:0a:65:01:${host} netns ${name}`);
  await ip(`link set v${name} master ${network.bridge} up`);
  await ip(`-n ${name} address add 10.101.1.${host}/24 dev eth0`);
  await ip(`-n ${name} link set eth0 up`);
  await ip(`-n ${name} route add default via ${network.gateway}`);
}

/** The source that the instance saw, or `silent`. */
async function ask(from: string): Promise<string> {
  const program = `const s = require("dgram").createSocket("udp4"); const end = (what) => { console.log(what); process.exit(); }; s.on("message", (m) => end(String(m))); s.send("x", 9053, "${network.gateway}"); setTimeout(end, 1500, "silent");`;
  const { stdout } = await run("ip", ["netns", "exec", from, process.execPath, "-e", program]);
  return stdout.trim();
}

beforeAll(async () => {
  await ensureBridge(network);
  await ensureFilter(network, [4222]);
  for (const name of ["ua", "ub"]) {
    await ip(`netns add ${name}`);
    await ip(`-n ${name} link set lo up`);
    await port(name);
  }
  server = inside(
    "ua",
    `const s = require("dgram").createSocket("udp4"); s.on("message", (m, r) => s.send(r.address, r.port, r.address)); s.bind(7000, () => console.log("listening"));`,
  );
  server.done.catch(() => {}); // it is killed at the end
  await once(server.stdout, "data");
  await applyUdpRoutes(network, ROUTES);
}, 30_000);

afterAll(async () => {
  server.kill("SIGKILL");
  for (const name of ["ua", "ub"]) await run("ip", ["netns", "delete", name]);
  await removeFilter(network);
  await removeBridge(network);
});

test.each(["0", "1"])(
  "an instance that a route leads to itself is answered, with bridge-nf-call-iptables=%s",
  async (seen) => {
    await run("sysctl", ["-w", `net.bridge.bridge-nf-call-iptables=${seen}`]);
    expect(await ask("ub")).toBe(network.gateway);
    expect(await ask("ua")).toBe(network.gateway);
  },
);

test("a port that is made again does so after the next look", async () => {
  await ip("link delete vua");
  await port("ua");
  expect(await ask("ub")).toBe(network.gateway);
  expect(await ask("ua")).toBe("silent");
  await sendBack(network);
  expect(await ask("ua")).toBe(network.gateway);
});

test("a bridge that is not there has no ports", async () => {
  await expect(sendBack({ bridge: "nosuch0" })).resolves.toBeUndefined();
});
