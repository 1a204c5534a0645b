import type { AuditEntry, DoctorReport, OperationSummary } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

/** One cluster through it all: other programs change m2, and a workload of m2 looks at what it reaches. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
  const file = await cluster.put(1, MANIFEST, webBundle);
  await cluster.ctl(1, ["deploy", "-f", file]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** `look` says in its log, twice a second, whether it reaches the instance on m1 by name. */
const MANIFEST = `namespace = "prod"
[services.web]
bundle = "./web"
command = ["${node}", "server.mjs"]
env = { VERSION = "v1" }
ports = { http = 8080 }
ready = { http = "/healthz" }
constraints = { machines = ["m1"] }
[services.look]
bundle = "./web"
command = ["${node}", "-e", '''
setInterval(() => fetch("http://web.prod.cluster.local:8080/healthz", { signal: AbortSignal.timeout(400) })
  .then(() => console.log("reached"), () => console.log("lost")), 500);
''']
after = ["web"]
constraints = { machines = ["m2"] }
`;

const sh = (i: number, script: string) => cluster.lab.sh(i, ["sh", "-c", script]);
const reached = () =>
  within("m2's instance reaches m1's", 60_000, async () => {
    const { stdout } = await cluster.ctl(2, ["logs", "prod/look", "--tail", "3"]);
    const lines = stdout.trim().split("\n");
    return lines.length === 3 && lines.every((line) => line.endsWith("reached")) ? true : undefined;
  });
const checks = async (i: number) => {
  const report = await cluster.json<DoctorReport>(i, ["doctor"], { ok: [0, 1, 3] });
  return (id: string) => report.checks.find((one) => one.id === id);
};

it("nothing is wrong at first", async () => {
  await reached();
  const check = await checks(2);
  for (const id of ["network", "firewall", "gateway", "dns", "names", "store", "records"])
    expect(check(id), id).toMatchObject({ state: "ok" });
});

it("each changing call is in the audit log of the machine that obeyed it", async () => {
  const { entries } = await cluster.json<{ readonly entries: readonly AuditEntry[] }>(2, ["audit"]);
  const { operations } = await cluster.json<{ readonly operations: readonly OperationSummary[] }>(1, [
    ...["ops", "ls"],
  ]);
  expect(entries.find(({ command }) => command === "instance.start")).toMatchObject({
    ...{ caller: "m1", outcome: "done", operation: operations[0]?.operation },
  });
});

it.each([
  ["the route to a peer", "ip route del 10.101.1.0/24"],
  ["forwarding", "echo 0 > /proc/sys/net/ipv4/ip_forward"],
  ["the packet filter", "nft flush ruleset"],
  ["one table of it", "nft delete table bridge ployz_ployz0"],
  ["a rule of it", "nft flush chain inet ployz_ployz0 input"],
  ["the bridge's address", "ip address flush dev ployz0"],
  ["the MTU of the tunnel", "ip link set ployz-wg0 mtu 1300"],
  ["the MTU of the bridge", "ip link set ployz0 mtu 1300"],
  ["FORWARD, as a Docker that came later sets it", "iptables -P FORWARD DROP"],
])("%s comes back within a minute", async (_what, script) => {
  await sh(2, script);
  await within("it is put right", 60_000, async () => {
    const { stdout } = await sh(
      2,
      `ip route show 10.101.1.0/24; cat /proc/sys/net/ipv4/ip_forward; nft list tables; ip -br address show ployz0;
       echo "guards $(nft list chain inet ployz_ployz0 input 2>/dev/null | grep -c dport)"; ip link show ployz-wg0; ip link show ployz0; iptables -S`,
    );
    const routed = /^10\.101\.1\.0\/24 dev ployz-wg0/m.test(stdout) && /^1$/m.test(stdout);
    const tables = ["inet ployz_ployz0", "bridge ployz_ployz0", "inet ployz_ployz0_policy"];
    const filtered =
      tables.every((table) => stdout.includes(`table ${table}`)) && /^guards [1-9]/m.test(stdout);
    const open = /-P FORWARD ACCEPT|-A FORWARD .*ployz0/.test(stdout);
    return routed && filtered && open && /10\.101\.2\.1\/24/.test(stdout) && !/mtu 1300/.test(stdout)
      ? true
      : undefined;
  });
  await reached();
});

it("daemon install puts it right at once, and says so", async () => {
  await sh(2, "ip route del 10.101.1.0/24; nft flush ruleset");
  const { stdout } = await cluster.ctl(2, ["daemon", "install"]);
  expect(stdout).toContain("put right");
  await reached();
});

it("an INPUT chain that drops is named with the rules that open it", async () => {
  await sh(2, "iptables -P FORWARD ACCEPT; iptables -A INPUT -i lo -j ACCEPT");
  await sh(2, "iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
  await sh(2, "iptables -A INPUT -p tcp --dport 22 -j ACCEPT; iptables -P INPUT DROP");
  const firewall = (await checks(2))("firewall");
  expect(firewall).toMatchObject({ state: "fail", found: expect.stringContaining("instances lose DNS") });
  await sh(2, firewall?.fix ?? "");
  expect((await checks(2))("firewall")).toMatchObject({ state: "ok" });
  await reached();
  await sh(2, "iptables -P INPUT ACCEPT; iptables -F INPUT");
});

it("a nameserver that the machine gets later is used", async () => {
  await sh(2, "echo 'nameserver 192.0.2.53' > /etc/resolv.conf");
  await within("it is used", 30_000, async () =>
    (await checks(2))("nameservers")?.found.includes("192.0.2.53") ? true : undefined,
  );
});
