import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureKeyFile, type Peer, planSubnet, readKeyFile } from "../src/index.ts";
import { type Machine, startMachines } from "./machines.ts";

interface Member extends Machine {
  readonly address: string;
  readonly peer: Peer;
  readonly privateKeyFile: string;
}

let lab: Awaited<ReturnType<typeof startMachines>>;
let members: readonly [Member, Member, Member, Member];

const others = (self: Member, all: readonly Member[]) => all.filter((m) => m !== self).map((m) => m.peer);
const options = ({ privateKeyFile, address }: Member) => ({
  privateKeyFile,
  address: `${address}/32`,
  listenPort: 51820,
  mtu: 1380,
});

beforeAll(async () => {
  lab = await startMachines(4);
  const list = await Promise.all(
    lab.machines.map(async (machine, index) => {
      const plan = planSubnet({ clusterCidr: "10.101.0.0/16", prefixLength: 24, index: index + 1 });
      const privateKeyFile = join(machine.dir, "private.key");
      const { publicKey } = await ensureKeyFile(privateKeyFile);
      const peer = { publicKey, endpoint: `${machine.underlay}:51820`, allowedIps: [plan.subnet] };
      return { ...machine, address: plan.machineAddress, peer, privateKeyFile };
    }),
  );
  members = list as unknown as typeof members;
});
afterAll(() => lab?.stop());

// In order: each test starts from the mesh that the one before left.
describe("a mesh of machines", () => {
  it("says how it can run here", async () => {
    expect(["kernel", "userspace"]).toContain((await members[0].call.probe()).mode);
  });

  it("three machines reach each other over the overlay", async () => {
    const trio = members.slice(0, 3);
    await Promise.all(trio.map((m) => m.call.ensure(options(m))));
    await Promise.all(trio.map((m) => m.call.setPeers(others(m, trio))));
    await Promise.all(
      trio.map((m) =>
        m.call.waitForHandshake(
          others(m, trio).map((p) => p.publicKey),
          8_000,
        ),
      ),
    );
    for (const from of trio) {
      for (const to of trio) expect(await from.call.rtt(to.address, 3_000)).toBeLessThan(1_000);
    }
    const status = await trio[0]?.call.status();
    expect(status).toMatchObject({ up: true, mtu: 1380, listenPort: 51820, addresses: ["10.101.1.1/32"] });
    expect(status?.peers.flatMap((p) => p.allowedIps).sort()).toEqual(["10.101.2.0/24", "10.101.3.0/24"]);
    const routes = await members[0].call.exec("ip", "route", "get", "10.101.2.77");
    expect(routes).toMatch(/dev ployz-wg0 src 10\.101\.1\.1/);
  });

  it("sees that the way carries small packets only", async () => {
    const [a, b] = members;
    expect(await a.call.path(b.address, 1380)).toBe("passes");
    // 1380 and 60 of IPv4, UDP and WireGuard.
    await b.call.exec(
      "nft",
      "add table inet narrow; add chain inet narrow in { type filter hook input priority 0; }; add rule inet narrow in udp dport 51820 meta length > 1400 drop",
    );
    expect(await a.call.path(b.address, 1380)).toBe("blocked");
    expect(await a.call.path(b.address, 1300)).toBe("passes");
    await b.call.exec("nft", "add rule inet narrow in udp dport 51820 drop");
    expect(await a.call.path(b.address, 1380)).toBe("unknown");
    await b.call.exec("nft", "delete table inet narrow");
    expect(await a.call.path(b.address, 1380)).toBe("passes");
  });

  it("does nothing when asked again, also through a second client", async () => {
    const [m] = members;
    const before = await m.call.service();
    expect(await m.call.ensure(options(m))).toMatchObject({ outcome: "unchanged", changes: [] });
    await m.call.reopen();
    expect(await m.call.ensure(options(m))).toMatchObject({ outcome: "unchanged", changes: [] });
    expect(await m.call.setPeers(others(m, members.slice(0, 3)))).toMatchObject({ outcome: "unchanged" });
    expect(await m.call.service()).toEqual(before);
  });

  it("a machine joins, and a running flow between the others loses nothing", async () => {
    const [a, b, , d] = members;
    await b.call.echo(7777);
    const flow = a.call.flow(b.address, 7777, 400, 2);
    await d.call.ensure(options(d));
    await d.call.setPeers(others(d, members));
    await Promise.all([a, b, members[2]].map((m) => m.call.setPeers(others(m, members))));
    await d.call.waitForHandshake(
      others(d, members).map((p) => p.publicKey),
      8_000,
    );
    expect(await flow).toEqual({ sent: 400, received: 400 });
    expect(await a.call.rtt(d.address, 3_000)).toBeLessThan(1_000);
  });

  it("a machine leaves, and its routes go while the other flow runs on", async () => {
    const [a, b, c, d] = members;
    const flow = a.call.flow(b.address, 7777, 200, 2);
    const result = await a.call.setPeers(others(a, [a, b, c]));
    expect(result.changes).toContain(`removed peer ${d.peer.publicKey}`);
    expect(await a.call.exec("ip", "route", "show", "10.101.4.0/24")).toBe("");
    expect(await flow).toEqual({ sent: 200, received: 200 });
    await expect(a.call.rtt(d.address, 300)).rejects.toMatchObject({
      code: expect.stringMatching(/^rtt_(unreachable|timeout)$/),
    });
  });

  it("finds a peer under its second address when nothing answers under the first", async () => {
    const [a, b, c, d] = members;
    await d.call.setPeers([{ publicKey: a.peer.publicKey, allowedIps: a.peer.allowedIps }]); // a has to speak first
    const elsewhere = { ...d.peer, endpoint: "192.0.2.99:51820", fallbacks: ["192.0.2.4:51820"] };
    await a.call.setPeers([b.peer, c.peer, elsewhere]);
    await a.call.waitForHandshake([d.peer.publicKey], 15_000);
    expect(await a.call.rtt(d.address, 3_000)).toBeLessThan(1_000);
    expect(await a.call.setPeers([b.peer, c.peer, elsewhere])).toMatchObject({ outcome: "unchanged" });
    await a.call.setPeers([b.peer, c.peer]);
  });

  it("keeps the endpoint to which a peer has roamed, until another one is configured", async () => {
    const [a, b, c] = members;
    await b.call.exec("wg", "set", "ployz-wg0", "listen-port", "51999");
    await b.call.rtt(a.address, 3_000);
    const endpoint = async () =>
      (await a.call.status())?.peers.find((p) => p.publicKey === b.peer.publicKey)?.endpoint;
    expect(await endpoint()).toBe("192.0.2.2:51999");
    const slower = { ...b.peer, keepaliveSeconds: 25 };
    await a.call.setPeers([slower, c.peer]);
    expect(await endpoint()).toBe("192.0.2.2:51999");
    await b.call.ensure(options(b)); // drifted: back to its port
    await a.call.setPeers([{ ...slower, endpoint: "192.0.2.2:51820" }, c.peer]);
    await b.call.rtt(a.address, 3_000);
    expect(await endpoint()).toBe("192.0.2.2:51820");
  });

  it("comes back whole after the tunnel process was killed", async ({ skip }) => {
    const [a, b, c] = members;
    if ((await a.call.probe()).mode === "kernel") skip();
    await a.call.killTunnel();
    await a.call.ensure(options(a));
    await a.call.waitForHandshake([b.peer.publicKey, c.peer.publicKey], 8_000);
    expect(await c.call.rtt(a.address, 3_000)).toBeLessThan(1_000);
    expect(await a.call.ensure(options(a))).toMatchObject({ outcome: "unchanged" });
  });

  it("recovers completely without a caller when the tunnel process was killed", async ({ skip }) => {
    const [a, b, c] = members;
    if ((await a.call.probe()).mode === "kernel") skip();
    await a.call.killTunnel();
    await waitFor("peers", async () => ((await a.call.status())?.peers.length === 2 ? true : undefined), {
      timeoutMs: 5_000,
    });
    await a.call.waitForHandshake([b.peer.publicKey, c.peer.publicKey], 8_000);
    expect(await b.call.rtt(a.address, 3_000)).toBeLessThan(1_000);
    expect(await a.call.ensure(options(a))).toMatchObject({ outcome: "unchanged" });
    expect(await a.call.exec("ps", "-eo", "stat,comm")).not.toMatch(/^Z/m);
  });

  it("names the peer that does not answer", async () => {
    const [a, , , d] = members;
    await d.call.setPeers([]);
    await a.call.exec("ip", "route", "add", "blackhole", "192.0.2.4/32");
    await a.call.setPeers(others(a, members));
    await expect(a.call.waitForHandshake([d.peer.publicKey], 400)).rejects.toMatchObject({
      code: "handshake_timeout",
      message: expect.stringContaining(`${d.peer.publicKey} (192.0.2.4:51820)`),
    });
  });

  it("keeps the private key in its file only", async () => {
    const [a] = members;
    const secret = await readKeyFile(a.privateKeyFile);
    const files = (await readdir(a.dir, { recursive: true, withFileTypes: true })).filter((f) => f.isFile());
    for (const file of files) {
      const path = join(file.parentPath, file.name);
      if (path === a.privateKeyFile) continue;
      expect(await readFile(path, "utf8"), path).not.toContain(secret);
    }
    expect(files.map((f) => f.name)).toContain("ployz-wg0.json");
    expect((await stat(a.privateKeyFile)).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(await a.call.status())).not.toContain(secret);
  });

  it("says which port is taken", async () => {
    const [, , c] = members;
    await c.call.echo(53333);
    await expect(c.call.ensure({ ...options(c), listenPort: 53333 })).rejects.toMatchObject({
      code: "port_in_use",
    });
    await c.call.ensure(options(c));
  });

  it("refuses an interface of that name that is not WireGuard, and leaves it alone", async () => {
    const [, b] = members;
    await b.call.remove();
    await b.call.exec("ip", "link", "add", "ployz-wg0", "type", "bridge");
    await expect(b.call.ensure(options(b))).rejects.toMatchObject({ code: "interface_conflict" });
    await b.call.exec("ip", "link", "del", "ployz-wg0");
  });

  it("removes everything but the key, twice", async () => {
    const [a] = members;
    await a.call.remove();
    await a.call.remove();
    expect(await a.call.status()).toBeNull();
    expect(await a.call.service()).toEqual({ state: "absent" });
    expect(await a.call.exec("ip", "route", "show", "10.101.0.0/16")).toBe("");
    expect((await readdir(a.dir)).sort()).toEqual(["log", "private.key"]);
  });

  it("the README's example joins", async () => {
    const [, , , d] = members;
    await d.call.remove();
    expect(await d.call.join(9)).toMatchObject({
      endpoint: "192.0.2.4:51820",
      allowedIps: ["10.101.9.0/24"],
    });
    expect(await d.call.status()).toMatchObject({ addresses: ["10.101.9.1/32"] });
    await d.call.remove();
  });
});
