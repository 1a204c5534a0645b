import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { answers } from "../../src/survive.ts";

/** What networks do to machines: m2 is behind one that drops long packets, m3 behind NAT and a link with a smaller MTU. */
let cluster: Cluster;
const NARROW = `table inet narrow {
  chain in { type filter hook input priority 0; udp dport 51820 meta length > 1400 drop; }
}`;
/** Another port outside, and nothing that it has not asked for gets in. */
const NAT = `table inet nat {
  chain out { type nat hook postrouting priority 100; oifname "eth0" udp sport 51820 masquerade to :40000-49999; }
  chain in { type filter hook input priority 0; iifname "eth0" ct state new drop; }
}`;

const on = async (i: number, script: string, input?: string) =>
  (await cluster.lab.sh(i, ["sh", "-c", script], input === undefined ? {} : { input })).stdout;
const mtu = async (i: number, link: string) =>
  Number(/mtu (\d+)/.exec(await on(i, `ip link show ${link}`))?.[1]);
const members = async (i: number) =>
  (
    await cluster.json<{ machines: readonly { readonly record: { readonly id: string } }[] }>(i, [
      "machine",
      "ls",
    ])
  ).machines.map(({ record }) => record.id);
const path = async (i: number) =>
  (
    await cluster.json<{
      checks: readonly { readonly id: string; readonly state: string; readonly found: string }[];
    }>(i, ["doctor"], { ok: [0, 1, 3] })
  ).checks.find(({ id }) => id === "path");
const add = async (i: number, ok: readonly number[] = [0]) => {
  const { machines } = await cluster.json<{
    machines: readonly { readonly errors: readonly { readonly code: string; readonly hint: string }[] }[];
  }>(1, ["machine", "add", `root@m${i}`, "--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"], {
    ok,
    timeoutMs: 180_000,
  });
  return machines[0]?.errors[0];
};
const narrower = (i: number) =>
  on(
    i,
    'mkdir -p /etc/ployz && f=/etc/ployz/config.toml && { echo "wireguard_mtu = 1280"; cat $f 2>/dev/null || true; } > $f.new && mv $f.new $f',
  );

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, members: 1 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("does not take in a machine that long packets do not reach, and says what to set; then it does", async () => {
  await on(2, "nft -f -", NARROW);
  expect(await add(2, [1])).toMatchObject({
    code: "path_too_narrow",
    hint: expect.stringContaining("wireguard_mtu = 1280"),
  });
  expect(await members(1)).toEqual(["m1"]);
  for (const i of [1, 2]) await narrower(i);
  await cluster.ctl(1, ["daemon", "install"]);
  await add(2);
  for (const i of [1, 2])
    expect([await mtu(i, "ployz-wg0"), await mtu(i, "ployz0")], `m${i}`).toEqual([1280, 1280]);
  expect(await path(1)).toMatchObject({ state: "ok", found: "up to 1280 bytes to m2" });
  await on(2, "nft delete table inet narrow");
});

it("joins from behind NAT, with its link's MTU, and is reachable there", async () => {
  await on(3, "ip link set eth0 mtu 1460");
  await on(
    1,
    "scp -q -i /root/.ssh/id_ed25519 -o StrictHostKeyChecking=accept-new /usr/local/lib/ployz/current/payload.tar.gz root@m3:/root/",
  );
  await on(3, "cd /root && tar -xzf payload.tar.gz && ./ployz/install.sh --tarball /root/payload.tar.gz");
  await cluster.ctl(3, ["daemon", "install", "--runtime", "host"]);
  await on(3, "nft -f -", NAT);
  const { token } = await cluster.json<{ token: string }>(1, ["machine", "invite", "create"]);
  await cluster.ctl(3, ["mesh", "join", "--token-stdin"], { input: token });
  expect(await mtu(3, "ployz-wg0")).toBe(1380);
  expect(await members(3)).toEqual(["m1", "m2", "m3"]);
  const { stdout } = await cluster.lab.sh(1, ["wg", "show", "ployz-wg0", "endpoints"]);
  expect(stdout).toMatch(/:4\d{4}$/m);
  const extra = 'constraints = { machines = ["m3"] }';
  const file = await cluster.put(2, webManifest({ replicas: 2, extra }), webBundle);
  await cluster.ctl(2, ["deploy", "-f", file]);
  for (const i of [1, 2, 3]) expect((await answers(cluster, i)).versions).toEqual(["v1"]);
});

it("doctor says when long packets no longer get through", async () => {
  await on(1, "nft -f -", NARROW.replace("1400", "1300"));
  expect(await path(3)).toMatchObject({ state: "fail", found: expect.stringContaining("tunnel to m1") });
  await on(1, "nft delete table inet narrow");
  expect(await path(3)).toMatchObject({ state: "ok", found: "up to 1380 bytes to m1, m2" });
});
