import type { InstanceList } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle } from "../../src/cluster.ts";
import { makeImage } from "../../src/docker.ts";

/**
 * Three namespaces, each with a service on every machine: host processes on m1 and m2, containers on m3 and m4. From each instance's own network
 * namespace, as root of it, one probe asks for everything that it may and may not reach. `b` opens its service to `a`.
 */
const MACHINES = [1, 2, 3, 4] as const;
const NAMESPACES = ["a", "b", "c"] as const;
type Namespace = (typeof NAMESPACES)[number];
type Instance = InstanceList["instances"][number];
let cluster: Cluster;
let instances: readonly Instance[];

const sh = async (machine: number, script: string, input?: string) =>
  (
    await cluster.lab.sh(machine, ["sh", "-c", script], {
      timeoutMs: 240_000,
      ...(input !== undefined && { input }),
    })
  ).stdout;
const numberOf = ({ machine }: Pick<Instance, "machine">) => Number(machine.slice(1));
const hosts = () => [...MACHINES.map((machine) => `10.101.${machine}.1`), ...cluster.lab.addresses];
const opened = (from: Namespace, to: Namespace) => from === to || (from === "a" && to === "b");

const program = {
  process: (version: string) => `bundle = "./web"
command = ["${node}", "server.mjs"]
env = { VERSION = "${version}" }
ready = { http = "/healthz" }`,
  docker: (version: string) => `image = "shop/web:v1"
command = ["/bin/sh", "-c", "mkdir -p /tmp/www; echo ${version} >/tmp/www/index.html; httpd -f -p 8080 -h /tmp/www"]
ready = { http = "/" }`,
};

const manifest = (namespace: Namespace, version = "v1") => {
  const common = `ports = { http = 8080 }\nplacement = "every-machine"\n${namespace === "b" ? 'allow_from = ["a"]\n' : ""}`;
  return `namespace = "${namespace}"

[services.proc]
${program.process(version)}
constraints = { labels = { runtime = "process" } }
${common}
[services.cont]
${program.docker(version)}
constraints = { labels = { runtime = "docker" } }
${common}`;
};

/** Runs in the network namespace of one instance, and prints what each of its questions gave. */
const PROBE = `
import { connect } from "node:net";
import { Resolver } from "node:dns/promises";
const { dials, names, server, from } = JSON.parse(process.argv[2]);
const dial = ([host, port]) => new Promise((done) => {
  const socket = connect({ host, port, timeout: 2500, ...(from && { localAddress: from }) });
  const end = (what) => { socket.destroy(); done(what); };
  socket.once("connect", () => end("open"));
  socket.once("timeout", () => end("closed"));
  socket.once("error", () => end("closed"));
});
const resolver = new Resolver({ timeout: 2000, tries: 2 });
resolver.setServers([server]);
const resolve = (name) => resolver.resolve4(name).then((found) => (found.length > 0 ? "known" : "unknown"), () => "unknown");
const rows = [
  ...(await Promise.all(dials.map(async (to) => [to.join(" "), await dial(to)]))),
  ...(await Promise.all(names.map(async (name) => [name, await resolve(name)]))),
];
console.log(JSON.stringify(Object.fromEntries(rows)));
`;

/** Finds a process in the network namespace that has the address as its own: a forged one is added with 32 bits. */
const INSIDE = `inside() { for p in /proc/[0-9]*; do
  nsenter --net=$p/ns/net ip -4 -o address show dev eth0 2>/dev/null | grep -q " $1/24 " && { echo \${p#/proc/}; return; }
done; echo none; }`;

interface Questions {
  readonly dials: readonly (readonly [string, number])[];
  readonly names?: readonly string[];
  /** Another source address than its own. */
  readonly from?: string;
}

async function ask(of: Instance, { dials, names = [], from }: Questions) {
  const machine = numberOf(of);
  const question = JSON.stringify({
    dials,
    names,
    server: `10.101.${machine}.1`,
    ...(from !== undefined && { from }),
  });
  const script = `${INSIDE}\nnsenter --net=/proc/$(inside ${of.address})/ns/net ${node} /root/probe.mjs '${question}'`;
  return JSON.parse(await sh(machine, script)) as Readonly<Record<string, string>>;
}

/** Closed to every workload: sshd, store, store's routes and monitor, transfer, join, metrics, access log. */
const MACHINE_PORTS = [22, 4222, 6222, 8222, 4319, 51821, 9464, 4320];

/** The right answers of one instance; `apart`: pairs of machines that do not hear each other. */
function expected(of: Instance, apart: Apart = () => false): Readonly<Record<string, string>> {
  const from = of.namespace as Namespace;
  const reach = Object.fromEntries(
    instances.map((to) => [
      `${to.address} 8080`,
      opened(from, to.namespace as Namespace) && !apart(numberOf(of), numberOf(to)) ? "open" : "closed",
    ]),
  );
  const machines = Object.fromEntries(
    hosts().flatMap((host) => MACHINE_PORTS.map((port) => [`${host} ${port}`, "closed"])),
  );
  const names = Object.fromEntries(
    NAMESPACES.flatMap((to) =>
      ["proc", "cont"].map((service) => [
        `${service}.${to}.cluster.local`,
        opened(from, to) ? "known" : "unknown",
      ]),
    ),
  );
  return { ...reach, ...machines, [`10.101.${numberOf(of)}.1 53`]: "open", ...names };
}

const questions = (answers: Readonly<Record<string, string>>): Questions => ({
  dials: Object.keys(answers).flatMap((key) => {
    const [host, port] = key.split(" ");
    return host !== undefined && port !== undefined ? [[host, Number(port)] as const] : [];
  }),
  names: Object.keys(answers).filter((key) => !key.includes(" ")),
});

type Apart = (a: number, b: number) => boolean;

/** A deploy replaces instances, and their addresses. */
const refresh = async () => {
  instances = (await cluster.json<InstanceList>(1, ["ps"])).instances;
};

/** Every instance's table at once, machine by machine. */
async function walk(when: string, apart?: Apart): Promise<void> {
  // Over a partition the other side tells nothing of its own.
  if (apart === undefined) await refresh();
  expect(instances, when).toHaveLength(NAMESPACES.length * MACHINES.length);
  for (const machine of MACHINES) {
    const here = instances.filter((one) => numberOf(one) === machine);
    const found = await Promise.all(here.map((one) => ask(one, questions(expected(one, apart)))));
    for (const [index, one] of here.entries())
      expect(found[index], `${when}: ${one.namespace}/${one.service} on ${one.machine}`).toEqual(
        expected(one, apart),
      );
  }
}

const deploy = async (namespace: Namespace, version?: string) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest(namespace, version), webBundle)], {
    timeoutMs: 240_000,
  });

beforeAll(async () => {
  cluster = await openCluster({ machines: 4, docker: true, members: 0 });
  await cluster.ctl(1, ["daemon", "install", "--runtime", "host"]);
  await cluster.ctl(1, ["mesh", "init", "prod-cluster"]);
  const add = ["-i", "/root/.ssh/id_ed25519", "--accept-new-host-key"];
  for (const [machine, runtime] of [
    [2, "host"],
    [3, "docker"],
    [4, "docker"],
  ] as const)
    await cluster.ctl(1, ["machine", "add", `root@m${machine}`, ...add, "--runtime", runtime], {
      timeoutMs: 240_000,
    });
  for (const machine of MACHINES) {
    await cluster.ctl(1, [
      "machine",
      "label",
      `m${machine}`,
      `runtime=${machine < 3 ? "process" : "docker"}`,
    ]);
    await sh(machine, "cat > /root/probe.mjs", PROBE);
  }
  await makeImage(cluster, 3, "shop/web:v1");
  for (const namespace of NAMESPACES) await deploy(namespace);
}, 900_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("at rest", () => walk("at rest"));

it("no instance sends with its neighbour's address, MAC or ARP, on either runtime", async () => {
  await refresh();
  for (const machine of MACHINES) {
    const [own, neighbour] = instances.filter((one) => numberOf(one) === machine && one.namespace !== "b");
    if (own === undefined || neighbour === undefined) throw new Error(`m${machine} lacks two instances`);
    const gateway = `10.101.${machine}.1`;
    const script = (what: string) =>
      sh(
        machine,
        `${INSIDE}\nin="nsenter --net=/proc/$(inside ${own.address})/ns/net"; other="nsenter --net=/proc/$(inside ${neighbour.address})/ns/net"\n${what}`,
      );
    const resolves = ["53"].map((port) => [gateway, Number(port)] as const);
    const seen = () =>
      sh(
        machine,
        `ping -c 1 -W 2 ${neighbour.address} >/dev/null; ip neigh show ${neighbour.address} dev ployz0 | grep -o 'lladdr [^ ]*'; bridge fdb show br ployz0 | grep -v permanent | sort`,
      );
    const before = await seen();
    expect(before).toContain("lladdr");
    expect(await ask(own, { dials: resolves })).toEqual({ [`${gateway} 53`]: "open" });
    for (const disguise of [
      "",
      `$in ip link set eth0 address $($other ip -o link show dev eth0 | grep -o 'ether [^ ]*' | cut -c7-)`,
    ]) {
      const mac = (await script("$in ip -o link show dev eth0 | grep -o 'ether [^ ]*' | cut -c7-")).trim();
      // Its first packet is an ARP request that announces the forged address.
      await script(
        `${disguise}\n$in ip address add ${neighbour.address}/32 dev eth0; $in ip neigh flush dev eth0`,
      );
      try {
        expect(
          await ask(own, { dials: resolves, from: neighbour.address }),
          `${own.machine} ${disguise}`,
        ).toEqual({
          [`${gateway} 53`]: "closed",
        });
        // IPv6 is no way around either.
        const local = await script(
          `for one in "$in" "$other"; do $one sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6' 2>/dev/null; done; $in ip -6 address add fe80::a/64 dev eth0 nodad 2>/dev/null; $other ip -6 address add fe80::b/64 dev eth0 nodad 2>/dev/null; $in ping -6 -c 1 -W 1 fe80::b%eth0 >/dev/null 2>&1 && echo reached; $in ip -6 address del fe80::a/64 dev eth0; $other ip -6 address del fe80::b/64 dev eth0`,
        );
        expect(local).not.toContain("reached");
        expect(await seen(), `${own.machine} ${disguise}`).toBe(before);
      } finally {
        await script(
          `$in ip address del ${neighbour.address}/32 dev eth0; $in ip link set eth0 address ${mac}`,
        );
      }
    }
    expect(await ask(own, { dials: resolves })).toEqual({ [`${gateway} 53`]: "open" });
  }
});

/** On one UDP socket: prints what it hears, until it hears its own machine's word. */
const HEAR = `
import { createSocket } from "node:dgram";
const socket = createSocket("udp4");
const heard = [];
socket.on("message", (message) => {
  heard.push(String(message));
  if (String(message) !== "ready" && String(message) !== "end") return;
  console.log(JSON.stringify(heard));
  if (String(message) === "end") process.exit();
});
socket.bind(5000, () => {
  socket.addMembership("239.1.1.1");
  socket.send("ready", 5000, "127.0.0.1");
});
`;
const SAY = `
import { createSocket } from "node:dgram";
const socket = createSocket("udp4");
socket.bind(() => {
  socket.setBroadcast(true);
  const targets = process.argv.slice(2);
  let left = targets.length;
  for (const [word, to] of targets.map((one) => one.split("@"))) socket.send(word, 5000, to, () => --left || socket.close());
});
`;

it("no broadcast or multicast of an instance reaches another one, on either runtime", async () => {
  await refresh();
  for (const machine of [1, 3]) {
    const [own, neighbour] = instances.filter((one) => numberOf(one) === machine && one.namespace !== "b");
    if (own === undefined || neighbour === undefined) throw new Error(`m${machine} lacks two instances`);
    await sh(machine, "cat > /root/hear.mjs", HEAR);
    await sh(machine, "cat > /root/say.mjs", SAY);
    const all = ["255.255.255.255", `10.101.${machine}.255`, "239.1.1.1"].map((to) => `all@${to}`).join(" ");
    const heard = await sh(
      machine,
      `${INSIDE}\nin="nsenter --net=/proc/$(inside ${own.address})/ns/net"; other="nsenter --net=/proc/$(inside ${neighbour.address})/ns/net"
$other ${node} /root/hear.mjs | { read ready; echo "$ready"; $in ${node} /root/say.mjs ${all}; $other ${node} /root/say.mjs end@127.0.0.1; cat; }`,
    );
    expect(heard, own.machine).toBe('["ready"]\n["ready","end"]\n');
  }
});

it("while a namespace is deployed again and again, no instance of it is open to another for a moment", async () => {
  await refresh();
  // A host process and a container.
  const askers = instances.filter(
    ({ namespace, machine }) => namespace === "c" && ["m1", "m3"].includes(machine),
  );
  expect(askers).toHaveLength(2);
  let deploying = true;
  const seen: string[] = [];
  const asking = askers.map(async (asker) => {
    while (deploying) {
      const { instances: now } = await cluster.json<InstanceList>(2, ["ps", "a"]);
      const answers = await ask(asker, { dials: now.map(({ address }) => [address, 8080] as const) });
      seen.push(...Object.values(answers));
    }
  });
  for (const version of ["v2", "v3", "v4"]) await deploy("a", version);
  deploying = false;
  await Promise.all(asking);
  expect(seen.length).toBeGreaterThan(0);
  expect(new Set(seen)).toEqual(new Set(["closed"]));
});

it("in a partition in the middle of the cluster, with each side as before, and after it", async () => {
  const sides: Apart = (a, b) => [1, 3].includes(a) !== [1, 3].includes(b);
  await refresh();
  for (const [a, b] of [
    [1, 2],
    [1, 4],
    [3, 2],
    [3, 4],
  ] as const)
    await cluster.lab.partition(a, b);
  try {
    await walk("in the partition", sides);
  } finally {
    await cluster.lab.heal();
  }
  const [here, there] = [1, 2].map((machine) =>
    instances.find((one) => one.namespace === "a" && numberOf(one) === machine),
  );
  if (here === undefined || there === undefined) throw new Error("no two instances of a namespace");
  const dials = [[there.address, 8080]] as const;
  await expect
    .poll(() => ask(here, { dials }), { timeout: 120_000, interval: 1_000 })
    .toEqual({ [`${there.address} 8080`]: "open" });
  await walk("after the partition");
});

it.each([1, 3])(
  "IPv6 within the bridge of m%i is dropped by a rule of the bridge, also where iptables does not see its frames",
  async (machine) => {
    await refresh();
    const [own, neighbour] = instances.filter((one) => numberOf(one) === machine && one.namespace !== "b");
    if (own === undefined || neighbour === undefined) throw new Error(`m${machine} lacks two instances`);
    const reached = () =>
      sh(
        machine,
        `${INSIDE}\nin="nsenter --net=/proc/$(inside ${own.address})/ns/net"; other="nsenter --net=/proc/$(inside ${neighbour.address})/ns/net"
for one in "$in" "$other"; do $one sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6'; done
$in ip -6 address replace fe80::a/64 dev eth0 nodad; $other ip -6 address replace fe80::b/64 dev eth0 nodad
$in ping -6 -c 2 -W 1 fe80::b%eth0 >/dev/null 2>&1 && echo reached || echo dropped
$in ip -6 address del fe80::a/64 dev eth0; $other ip -6 address del fe80::b/64 dev eth0
for one in "$in" "$other"; do $one sh -c 'echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6'; done`,
      );
    const rule = async () =>
      (await sh(machine, "nft -a list chain bridge ployz_ployz0_ports ports"))
        .split("\n")
        .find((line) => line.includes("ether type !=") && line.includes("drop"));
    await sh(machine, "sysctl -w net.bridge.bridge-nf-call-ip6tables=0");
    expect(await reached()).toBe("dropped\n");
    // The daemon would put the rule back meanwhile.
    await sh(machine, "s6-svc -wD -T 20000 -d /run/ployz/services/ployzd");
    const handle = /# handle (\d+)/.exec((await rule()) ?? "")?.[1];
    expect(handle).toBeDefined();
    await sh(machine, `nft delete rule bridge ployz_ployz0_ports ports handle ${handle}`);
    expect(await reached()).toBe("reached\n");
    await sh(machine, "s6-svc -u /run/ployz/services/ployzd");
    await expect.poll(rule, { timeout: 120_000, interval: 1_000 }).toBeDefined();
    expect(await reached()).toBe("dropped\n");
    await sh(machine, "sysctl -w net.bridge.bridge-nf-call-ip6tables=1");
  },
);

/** From one network namespace to every address that an instance of two machines may have, until a file is there. */
const WATCH = `
import { existsSync } from "node:fs";
import { connect } from "node:net";
const [until, other, machines] = process.argv.slice(2);
const dial = (host) => new Promise((done) => {
  const socket = connect({ host, port: 8080, timeout: 2000 });
  const end = (why) => { socket.destroy(); done({ host, why }); };
  socket.once("connect", () => end(undefined));
  socket.once("timeout", () => end("timeout"));
  socket.once("error", ({ code }) => end(code));
});
const hosts = machines.split(",").flatMap((machine) => Array.from({ length: 60 }, (_, n) => "10.101." + machine + "." + (n + 2)));
const open = new Set();
let rounds = 0;
const gaps = {};
while (!existsSync(until)) {
  for (const { host, why } of await Promise.all(hosts.map(dial))) {
    if (why === undefined) open.add(host);
    else if (host === other) gaps[why] = (gaps[why] ?? 0) + 1;
  }
  rounds++;
}
console.log(JSON.stringify({ open: [...open], rounds, gaps }));
`;
const DEPLOYS = Number(process.env.PLOYZ_DEPLOYS ?? 200);
const DEPLOYING_MS = 20 * 60_000;

it.each([
  ["process", [1, 2], DEPLOYS],
  ["docker", [3, 4], DEPLOYS / 4],
] as const)(
  "a branch reaches nothing of its source in a loop of deploys of it, and always its own other instance: %s",
  async (runtime, machines, times) => {
    const single = (version: string) => `namespace = "d"
[services.web]
${program[runtime](version)}
replicas = 2
ports = { http = 8080 }
constraints = { labels = { runtime = "${runtime}" } }
`;
    const turn = async (n: number) =>
      cluster.ctl(1, ["deploy", "-f", await cluster.put(1, single(`v${n}`), webBundle)]);
    await turn(0);
    await cluster.ctl(1, ["branch", "d", "e"]);
    const [prober, other] = (await cluster.json<InstanceList>(1, ["ps", "e"])).instances;
    if (prober === undefined || other === undefined) throw new Error("the branch has no two instances");
    const machine = numberOf(prober);
    await sh(machine, "cat > /root/watch.mjs", WATCH);
    const watching = cluster.lab.sh(
      machine,
      [
        "sh",
        "-c",
        `${INSIDE}\nnsenter --net=/proc/$(inside ${prober.address})/ns/net ${node} /root/watch.mjs /root/enough ${other.address} ${machines.join()}`,
      ],
      { timeoutMs: DEPLOYING_MS + 300_000 },
    );
    const begun = performance.now();
    let deploys = 0;
    try {
      while (deploys < times && performance.now() - begun < DEPLOYING_MS) await turn(++deploys);
    } finally {
      await sh(machine, "touch /root/enough");
      for (const namespace of ["e", "d"]) await cluster.ctl(1, ["namespace", "rm", namespace, "--yes"]);
    }
    const seen = JSON.parse((await watching).stdout) as {
      readonly open: readonly string[];
      readonly rounds: number;
      readonly gaps: Readonly<Record<string, number>>;
    };
    console.log({ runtime, deploys, ...seen });
    expect({ ...seen, open: [...seen.open].sort() }).toMatchObject({
      ...{ open: [prober.address, other.address].sort(), gaps: {} },
    });
    expect(seen.rounds).toBeGreaterThan(10);
  },
  DEPLOYING_MS + 600_000,
);

it("after other programs flushed every rule, also where instances know each other's MACs from meanwhile", async () => {
  await refresh();
  for (const machine of [1, 3]) await sh(machine, "nft flush ruleset");
  for (const machine of [1, 3])
    await expect
      .poll(() => sh(machine, "nft list tables"), { timeout: 90_000 })
      .toMatch(/ployz_ployz0_ports[\s\S]*ployz_ployz0_policy|ployz_ployz0_policy[\s\S]*ployz_ployz0_ports/);
  // Without the filter a neighbour itself answers ARP.
  for (const machine of [1, 3]) {
    const here = instances.filter((one) => numberOf(one) === machine);
    const pairs = here.flatMap((one) =>
      here.filter((other) => other !== one).map((other) => [one, other] as const),
    );
    for (const [one, other] of pairs)
      await sh(
        machine,
        `${INSIDE}\nmac=$(nsenter --net=/proc/$(inside ${other.address})/ns/net ip -br link show eth0 | grep -o '\\(..:\\)\\{5\\}..')
nsenter --net=/proc/$(inside ${one.address})/ns/net ip neigh replace ${other.address} dev eth0 lladdr "$mac" nud reachable`,
      );
  }
  await walk("after the flush");
});

it("after a power cut of a machine of each runtime", async () => {
  for (const machine of [2, 4]) await cluster.lab.cut(machine);
  for (const machine of [2, 4]) await cluster.lab.on(machine);
  await expect
    .poll(
      async () =>
        (await cluster.json<InstanceList>(1, ["ps"])).instances.filter(({ state }) => state === "running")
          .length,
      { timeout: 120_000, interval: 1_000 },
    )
    .toBe(NAMESPACES.length * MACHINES.length);
  await walk("after the power cut");
});
