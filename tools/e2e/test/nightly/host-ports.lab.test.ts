import { join } from "node:path";
import { run } from "@ployz/exec";
import type { GatewayList, InstanceList } from "@ployz/primitives/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster, webBundle } from "../../src/cluster.ts";
import { openDatagrams } from "../../src/datagrams.ts";
import { makeImage } from "../../src/docker.ts";
import { daemonStatus, within } from "../../src/survive.ts";

const MACHINES = [1, 2];
/** Each answers its version, its name and the client that it sees; `ask` is a program in an instance that prints what a URL answers. */
const PROGRAMS = [
  {
    runtime: "process",
    docker: false,
    program: `bundle = "./web"\ncommand = ${JSON.stringify([
      node,
      "-e",
      `require("http").createServer((asked, answer) => answer.end([process.env.VERSION, require("os").hostname(), asked.socket.remoteAddress].join(" ") + "\\n")).listen(8080, "0.0.0.0")`,
    ])}`,
    ask: (url: string) => [
      node,
      "-e",
      `fetch("${url}").then((one) => one.text()).then(console.log, () => console.log("refused"))`,
    ],
  },
  {
    runtime: "Docker",
    docker: true,
    program: `image = "shop/web:v1"\ncommand = ${JSON.stringify([
      "sh",
      "-c",
      `mkdir -p /tmp/www/cgi-bin; printf '#!/bin/sh\\necho; echo "$VERSION $(hostname) $REMOTE_ADDR"\\n' >/tmp/www/cgi-bin/who; busybox chmod 755 /tmp/www/cgi-bin/who; exec busybox httpd -f -p 8080 -h /tmp/www`,
    ])}`,
    ask: (url: string) => ["sh", "-c", `busybox wget -T 3 -qO- ${url} || echo refused`],
  },
] as const;

/** A server of both families writes addresses of IPv4 in the other form: `[::ffff:10.77.1.1]`. */
const plain = (text: string) => text.replaceAll(/\[?::ffff:|\]/g, "");

describe.each(PROGRAMS)("on the runtime of $runtime", ({ docker, program, ask }) => {
  let cluster: Cluster;
  let netns: string;

  interface Service {
    readonly namespace?: string;
    readonly version?: string;
    readonly replicas?: number;
    readonly ports?: string;
    readonly more?: string;
  }
  const manifest = ({
    namespace = "prod",
    version = "v1",
    replicas = 2,
    ports = "{ port = 9000 }",
    more = "",
  }: Service) => `namespace = "${namespace}"
[services.web]
${program}
ports = { http = 8080 }
host_ports = [${ports}]
replicas = ${replicas}
env = { VERSION = "${version}" }
${more}
`;
  const deploy = async (what: Service, ok: readonly number[] = [0], ...argv: readonly string[]) => {
    const file = await cluster.put(1, manifest(what), webBundle);
    return (await cluster.ctl(1, ["deploy", "-f", file, "--json", ...argv], { ok })).stdout;
  };
  const at = (i: number): string => cluster.lab.addresses[i - 1] ?? "";
  /** From outside of the machines. */
  const who = async (i: number, port = 9000): Promise<readonly string[]> => {
    const url = `http://${at(i)}:${port}/cgi-bin/who`;
    const { stdout } = await run(
      "nsenter",
      [`--net=/run/netns/${netns}`, "curl", "-sS", "--max-time", "3", url],
      { okExitCodes: [0, 7, 28, 52, 56] },
    );
    return plain(stdout).trim().split(" ");
  };
  const answers = (version: string, i: number) =>
    within(`m${i} answers ${version}`, 60_000, async () => (await who(i))[0] === version || undefined);

  beforeAll(async () => {
    cluster = await openCluster({ machines: 2, docker });
    netns = (await cluster.lab.info()).netns;
    if (docker) await makeImage(cluster, 1, "shop/web:v1");
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  it("a port that is kept, not allowed or not free is refused, in the plan too", async () => {
    expect(await deploy({ ports: "{ port = 443 }" }, [2])).toContain("port 443 is kept for the gateway");
    for (const argv of [["-n"], []]) {
      expect(await deploy({ ports: "{ port = 25 }" }, [3], ...argv)).toContain(
        'policy.host_ports = [\\"1024-65535\\", \\"25/tcp\\"]',
      );
      expect(await deploy({ replicas: 3 }, [3], ...argv)).toContain(
        "host_ports: TCP port 9000 is taken by prod/web",
      );
      expect(await deploy({ ports: '{ port = 9000, address = "192.0.2.200" }' }, [3], ...argv)).toContain(
        "has no address 192.0.2.200",
      );
    }
    const hold = `require("net").createServer().listen(9000, "0.0.0.0")`;
    const { stdout: pid } = await cluster.lab.sh(2, [
      "sh",
      "-c",
      `setsid ${node} -e '${hold}' >/dev/null 2>&1 & echo $!`,
    ]);
    await within(
      "the plan knows the program's port",
      20_000,
      async () => (await deploy({}, [0, 3], "-n")).includes("another program listens there") || undefined,
    );
    await cluster.lab.sh(2, ["kill", pid.trim()]);
    await within(
      "the port is free",
      20_000,
      async () => (await deploy({}, [0, 3], "-n")).includes('"changes":true') || undefined,
    );
  });

  it("each machine's port leads to its own instance, which sees the client", async () => {
    await deploy({});
    const client = cluster.lab.clientAddress;
    const names = new Set<string | undefined>();
    for (const i of MACHINES) {
      await answers("v1", i);
      const [, name, from] = await who(i);
      expect(from).toBe(client);
      names.add(name);
      const { stdout } = await cluster.lab.sh(i, ["curl", "-sS", `http://${at(i)}:9000/cgi-bin/who`]);
      expect(plain(stdout)).toBe(`v1 ${name} ${at(i)}\n`);
    }
    expect(names.size).toBe(2);
    const { gateways } = await cluster.json<GatewayList>(2, ["gateway", "show"]);
    for (const { gateway } of gateways)
      expect(gateway).toMatchObject({
        routes: [{ place: "9000/tcp", kind: "host", to: "prod/web/http" }],
        dropped: [],
      });
    const { instances } = await cluster.json<InstanceList>(2, ["ps", "prod"]);
    for (const { hostPorts } of instances)
      expect(hostPorts).toEqual([{ protocol: "tcp", port: 9000, to: "http" }]);
    expect((await cluster.ctl(1, ["ps", "prod", "-o", "wide"])).stdout).toContain("9000/tcp>http");
  });

  it("another service gets the port on no machine, neither as a host port nor as a route", async () => {
    expect(await deploy({ namespace: "other", replicas: 1 }, [3])).toContain("is taken by prod/web");
    const route = { namespace: "other", ports: "", more: 'routes = [{ tcp = 9000, port = "http" }]' };
    expect(await deploy(route, [3])).toMatch(/TCP port 9000 is a host port on m\d of prod\/web/);
    const other = { namespace: "other", replicas: 1, ports: "{ port = 9001 }", more: "" };
    await deploy({ ...other, more: 'constraints = { machines = ["m2"] }' });
    await within("it answers", 60_000, async () => (await who(2, 9001))[0] === "v1" || undefined);
    expect((await who(1, 9001))[0]).toBe("");
  });

  it("workloads do not use it", async () => {
    for (const i of MACHINES)
      for (const host of [at(i), `10.101.${i}.1`]) {
        const url = `http://${host}:9000/cgi-bin/who`;
        const { stdout } = await cluster.ctl(1, ["exec", "other/web", "--", ...ask(url)], {
          timeoutMs: 30_000,
        });
        expect(stdout.trim()).toBe("refused");
      }
    await cluster.ctl(1, ["namespace", "rm", "other", "--yes"]);
  });

  it("a deploy stops first, says so, and the next instance has the port; start-first loses no request", async () => {
    const file = await cluster.put(1, manifest({ version: "v2" }), webBundle);
    expect((await cluster.ctl(1, ["deploy", "-f", file, "-n"])).stdout).toContain(
      "service web (stops first)",
    );
    await deploy({ version: "v2" });
    for (const i of MACHINES) await answers("v2", i);
    const smooth = 'update = "start-first"\ndrain = "3s"';
    await deploy({ version: "v2", more: smooth });
    let ended = false;
    const seen: string[] = [];
    const asking = (async () => {
      while (!ended) seen.push((await who(1))[0] ?? "");
    })();
    await deploy({ version: "v3", more: smooth });
    await answers("v3", 1);
    ended = true;
    await asking;
    expect([...new Set(seen)]).toEqual(["v2", "v3"]);
  });

  it("a branch leaves it with its source", async () => {
    const { stdout } = await cluster.ctl(1, ["branch", "prod", "pr-1", "--json"]);
    expect(stdout).toContain("web: its host ports stay with prod: TCP port 9000");
    await cluster.ctl(1, ["namespace", "rm", "pr-1", "--yes"]);
    for (const i of MACHINES) await answers("v3", i);
  });

  it("serves without the daemon, and comes back after a flush of all rules and after a power cut", async () => {
    await cluster.lab.sh(2, ["s6-svc", "-wD", "-T", "20000", "-d", "/run/ployz/services/ployzd"]);
    await answers("v3", 2);
    await cluster.lab.sh(2, ["nft", "flush", "ruleset"]);
    await answers("v3", 2);
    await cluster.lab.sh(2, ["s6-svc", "-wD", "-T", "20000", "-d", "/run/ployz/services/ployz-gateway"]);
    await answers("v3", 2);
    await cluster.lab.cut(2);
    await cluster.lab.on(2);
    await within("m2 answers again", 120_000, async () => (await who(2))[0] === "v3" || undefined);
    await within("the daemon of m2 answers", 120_000, () => daemonStatus(cluster, 2));
  });

  it("a narrower policy takes it away, and a removal leaves nothing", async () => {
    await cluster.lab.sh(1, ["sh", "-c", "cat >>/etc/ployz/config.toml"], {
      input: "\n[policy]\nhost_ports = []\n",
    });
    await cluster.ctl(1, ["daemon", "install"]);
    await within("the port is closed", 60_000, async () => (await who(1))[0] === "" || undefined);
    expect((await cluster.ctl(1, ["gateway", "show"])).stdout).toContain(
      "does not allow host_ports 9000/tcp",
    );
    await answers("v3", 2);
    await cluster.ctl(1, ["namespace", "rm", "prod", "--yes"]);
    for (const i of MACHINES)
      await within(`m${i} has no table`, 60_000, async () => {
        const { stdout } = await cluster.lab.sh(i, ["nft", "list", "tables"]);
        return (stdout.includes("inet ployz_ployz0") && !stdout.includes("_host")) || undefined;
      });
  });

  it("a machine that leaves its cluster has no rule of Ployz any more", async () => {
    const one = { replicas: 1, more: 'constraints = { machines = ["m2"] }' };
    await deploy({ ...one, namespace: "last" });
    await answers("v1", 2);
    const tables = async () => (await cluster.lab.sh(2, ["nft", "list", "tables"])).stdout;
    expect(await tables()).toContain("ployz_ployz0_host");
    await cluster.ctl(1, ["namespace", "rm", "last", "--yes"]);
    await within("the table goes with its namespace", 60_000, async () =>
      (await tables()).includes("_host") ? undefined : true,
    );
    // As a gateway's follower leaves them that ended before it heard of the removal.
    for (const left of ["host", "udp"])
      await cluster.lab.sh(2, ["nft", "add", "table", "ip", `ployz_ployz0_${left}`]);
    await cluster.ctl(2, ["mesh", "leave"]);
    expect(await tables()).not.toContain("ployz");
    expect((await cluster.lab.sh(2, ["iptables-save"])).stdout).not.toContain("ployz");
    await cluster.ctl(2, ["daemon", "uninstall"]);
    expect(await tables()).not.toContain("ployz");
  });
});

it("a UDP client that never stops is answered by each next instance", async () => {
  await using cluster = await openCluster({ machines: 1 });
  await using clients = await openDatagrams(cluster.lab);
  const [address = ""] = cluster.lab.addresses;
  const udp = (version: string) => `namespace = "udp"
[services.echo]
bundle = "./udp"
command = ["${node}", "server.mjs"]
ports = { echo = 7000 }
env = { VERSION = "${version}" }
host_ports = [{ port = 9053, protocol = "udp", address = "${address}" }]
`;
  const ask = () => clients.echo(address, 9053, { client: "steady", ms: 400 });
  expect(await ask()).toBeUndefined();
  for (const version of ["v1", "v2"]) {
    const file = await cluster.put(1, udp(version), { udp: join(fixtures, "udp") });
    await cluster.ctl(1, ["deploy", "-f", file, "--json"]);
    await within(version, 30_000, async () => (await ask())?.version === version || undefined);
    expect((await ask())?.from).toBe(cluster.lab.clientAddress);
  }
});
