import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SecretList } from "@ployz/primitives/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster } from "../../src/cluster.ts";

const MARKER = "hunter2-of-the-neighbour";
const MACHINES = [1, 2, 3] as const;
let cluster: Cluster;

const on = async (machine: number, script: string) =>
  (await cluster.lab.sh(machine, ["sh", "-c", script])).stdout;

/** Every command line that is seen on a machine, ten times a second. */
const WATCH =
  "(while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; echo; sleep 0.1; done >> /root/argv.log) >/dev/null 2>&1 &";

const manifest = `namespace = "prod"

${["spy", "rootspy"]
  .map(
    (name) => `[services.${name}]
bundle    = "./spy"
command   = ["${node}", "server.mjs"]
placement = "every-machine"
${name === "rootspy" ? 'user = "root"' : ""}
ports     = { http = 8080 }
ready     = { http = "/healthz", port = "http", timeout = "20s" }
`,
  )
  .join("\n")}
[services.neighbour]
bundle    = "./spy"
command   = ["${node}", "server.mjs"]
placement = "every-machine"
env       = { PASSWORD = "${MARKER}" }
ports     = { http = 8080 }
ready     = { http = "/healthz", port = "http", timeout = "20s" }
`;

type Instance = { readonly machine: string; readonly service: string; readonly address: string };
let instances: readonly Instance[];
const addressOf = (service: string, machine: number) =>
  instances.find((one) => one.service === service && one.machine === `m${machine}`)?.address ?? "";

/** A workload's answer to a command. Sent from the machine itself, past the gateway. */
const tell = async (service: string, machine: number, path: "/run" | "/knock", body: string) =>
  (
    await cluster.lab.sh(
      machine,
      ["curl", "-sS", "-m", "25", "--data-binary", "@-", `http://${addressOf(service, machine)}:8080${path}`],
      { input: body },
    )
  ).stdout;

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, members: 0 });
  for (const machine of MACHINES) await on(machine, WATCH);
  await cluster.ctl(1, ["daemon", "install"]);
  await cluster.ctl(1, ["mesh", "init", "prod-cluster"]);
  const key = ["--identity", "/root/.ssh/id_ed25519"];
  // An authority vouches for m2, whose key is trusted without being accepted. It does not for m3.
  await on(1, "cd /root && ssh-keygen -q -t ed25519 -N '' -f ca");
  const publicKey = await on(2, "cat /etc/ssh/ssh_host_ed25519_key.pub");
  await cluster.lab.sh(1, ["sh", "-c", "cat > /root/m2.pub"], { input: publicKey });
  await on(1, "cd /root && ssh-keygen -q -s ca -h -I m2 -n m2 m2.pub");
  await cluster.lab.sh(2, ["sh", "-c", "cat > /etc/ssh/m2-cert.pub"], {
    input: await on(1, "cat /root/m2-cert.pub"),
  });
  await on(
    2,
    "echo HostCertificate /etc/ssh/m2-cert.pub >> /etc/ssh/sshd_config && kill -HUP $(cat /run/sshd.pid)",
  );
  await on(1, 'echo "@cert-authority m2,m3 $(cat /root/ca.pub)" >> /root/.ssh/known_hosts');
  const unknown = await cluster.ctl(1, ["machine", "add", "root@m3", ...key], {
    ok: [3],
    timeoutMs: 180_000,
  });
  expect(unknown.stdout + unknown.stderr).toContain("it shows no certificate of that authority");
  await cluster.ctl(1, ["machine", "add", "root@m2", ...key], { timeoutMs: 180_000 });
  await cluster.ctl(1, ["machine", "add", "root@m3", ...key, "--accept-new-host-key"], {
    timeoutMs: 180_000,
  });
  await cluster.ctl(2, ["deploy", "-f", await cluster.put(2, manifest, { spy: join(fixtures, "spy") })]);
  instances = (await cluster.json<{ instances: readonly Instance[] }>(1, ["ps"])).instances;
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

describe("a workload that was taken over", () => {
  it.each(["spy", "rootspy"])(
    "%s reaches no control port of any machine, from any machine",
    async (service) => {
      const hosts = [...MACHINES.map((machine) => `10.101.${machine}.1`), ...cluster.lab.addresses];
      const targets = hosts.flatMap((host) => [4222, 4319, 8222, 6222].map((port) => [host, port] as const));
      const control = [[addressOf("neighbour", 3), 8080] as const, ["10.101.2.1", 80] as const];
      for (const machine of [1, 2]) {
        const answers = JSON.parse(
          await tell(service, machine, "/knock", JSON.stringify([...targets, ...control])),
        ) as string[];
        expect(answers.slice(-2), "what it may reach").toEqual(["open", "open"]);
        const open = targets.filter((_, index) => answers[index] === "open");
        expect(open, `open from ${service} on m${machine}`).toEqual([]);
      }
    },
  );

  it("nor with an address that is not its own", async () => {
    // As root of its network namespace, which a workload is not: the machine itself must refuse what comes out of it.
    const namespaces = (await on(1, "ip netns list"))
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "");
    const own = addressOf("rootspy", 1);
    const where = await Promise.all(
      namespaces.map(async (name) => ({
        name,
        text: await on(1, `ip -n ${name} -4 -o addr show dev eth0 2>/dev/null || true`),
      })),
    );
    const name = where.find(({ text }) => text.includes(` ${own}/`))?.name ?? "";
    expect(name).not.toBe("");
    for (const [forged, host] of [
      ["10.101.1.99", "10.101.1.1"],
      ["10.101.2.1", "10.101.1.1"],
      ["192.0.2.7", "10.101.1.1"],
    ] as const) {
      const script = `ip -n ${name} addr add ${forged}/32 dev eth0; ip netns exec ${name} curl -s -m 2 --interface ${forged} http://${host}:4319/ ; echo "exit $?"; ip netns exec ${name} curl -s -m 2 --interface ${forged} telnet://${host}:4222 </dev/null; echo "exit $?"; ip -n ${name} addr del ${forged}/32 dev eth0`;
      const out = await on(1, script);
      expect(out, `from ${forged}`).not.toMatch(/INFO|exit 0/);
    }
  });

  it.each(["spy", "rootspy"])("%s sees no socket, key, process or variable but its own", async (service) => {
    for (const machine of [1, 2]) {
      const look = (script: string) => tell(service, machine, "/run", script);
      expect(
        await look(
          "ls -A /var/lib/ployz /run/ployz /etc/ployz /root/.ssh /etc/ssh 2>/dev/null | grep -v ':$' | grep .",
        ),
      ).toBe("");
      expect(
        await look(
          "cat /etc/shadow; find / -xdev -name 'ployz*.sock' 2>/dev/null; find /run /var/lib /tmp -type s 2>/dev/null",
        ),
      ).not.toMatch(/\$[0-9a-z]+\$|sock/);
      const processes = await look("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'");
      expect(processes).toContain("server.mjs");
      expect(processes).not.toMatch(/ployzd|nats-server|haproxy|sshd|wireguard/);
      expect(
        await look(
          "cat /proc/[0-9]*/environ /proc/1/root/var/lib/ployz/membership.json 2>/dev/null | tr '\\0' '\\n'",
        ),
      ).not.toContain(MARKER);
      expect(await look("grep -rs 'hunter2' /run /tmp /var /app /dev/shm | head -3")).toBe("");
      // It cannot give itself another address, look at packets, mount, or make devices.
      const tries = await look(
        "ip addr add 10.101.1.200/24 dev eth0; ip link add d type dummy; mount -t tmpfs x /mnt; mknod /tmp/d b 7 0; unshare -Ur true && nsenter -t 1 -n true; echo 1 > /proc/sys/net/ipv4/ip_forward; echo done",
      );
      expect(tries).toContain("done");
      expect(await look("ip -o addr show; grep -c tmpfs.*/mnt /proc/mounts; ls /tmp/d 2>&1")).not.toMatch(
        /10\.101\.1\.200|^1$|^\/tmp\/d$/m,
      );
    }
  });
});

describe("the store", () => {
  const raw = async (machine: number, identity: string, ...lines: string[]) => {
    await cluster.lab.sh(machine, ["sh", "-c", "cat > /root/nats-raw.mjs"], {
      input: await readFile(join(fixtures, "nats-raw.mjs"), "utf8"),
    });
    return (
      await cluster.lab.sh(machine, [node, "/root/nats-raw.mjs", "10.101.1.1", "4222", identity, ...lines])
    ).stdout;
  };
  const SEED = "/var/lib/ployz/identity/nats.seed";

  it("refuses clients without a member's key", async () => {
    for (const identity of ["none", "wrong"]) {
      const answer = await raw(2, identity, "SUB > 1");
      expect(answer).toContain("Authorization Violation");
      expect(answer).not.toContain("PONG");
    }
  });

  it("a member hears only itself, and reads no secret", async () => {
    const { cluster: own } = JSON.parse(await on(2, "cat /var/lib/ployz/membership.json")) as {
      cluster: { id: string };
    };
    const root = `ployz.v1.${own.id}`;
    expect(await raw(2, SEED, `SUB ${root}.rpc.m2.x 1`)).not.toContain("-ERR");
    const others = [
      ...[">", "$SYS.>", `${root}.rpc.m1.>`, `${root}.rpc.>`, "_INBOX_m1.>", "_INBOX.>"],
      ...["$KV.ployz_secrets.>", `${root}.commit.*`],
    ];
    const heard = await raw(2, SEED, ...others.map((subject, index) => `SUB ${subject} ${index}`));
    for (const subject of others)
      expect(heard).toContain(`Permissions Violation for Subscription to "${subject}"`);
    const forbidden = [
      ...["$JS.API.STREAM.MSG.GET.KV_ployz_secrets", "$JS.API.DIRECT.GET.KV_ployz_secrets"],
      ...["$JS.API.CONSUMER.CREATE.KV_ployz_secrets.x", "$KV.ployz_secrets.x", "_INBOX_m1.x"],
      ...["DELETE", "PURGE", "UPDATE", "MSG.DELETE"].map((verb) => `$JS.API.STREAM.${verb}.PLOYZ_COMMITS`),
      "$JS.API.STREAM.CREATE.EVIL",
    ];
    const said = await raw(2, SEED, ...forbidden.map((subject) => `PUB ${subject} 2\\r\\n{}`));
    for (const subject of forbidden)
      expect(said).toContain(`Permissions Violation for Publish to "${subject}"`);
    // It may send itself a request, which gives it no right to publish to the reply subject.
    const deletion = "$JS.API.STREAM.DELETE.PLOYZ_JOURNAL";
    const answering = [`SUB ${root}.rpc.m2.x 1`, `PUB ${root}.rpc.m2.x ${deletion} 0\\r\\n`];
    expect(await raw(2, SEED, ...answering, `PUB ${deletion} 0\\r\\n`)).toContain(
      `Permissions Violation for Publish to "${deletion}"`,
    );
  });

  it("stores no answer to a member as a secret", async () => {
    const state = async () =>
      (await cluster.json<SecretList>(1, ["secret", "ls"])).secrets.find(({ name }) => name === "kept")
        ?.state;
    await on(1, "printf %s kept-value | ployzctl secret set prod/kept");
    await raw(2, SEED, "PUB $JS.API.STREAM.INFO.KV_ployz_facts $KV.ployz_secrets.prod.kept 0\\r\\n");
    expect(await state()).toBe("set");
    await on(1, "printf %s another-value | ployzctl secret set prod/kept");
    expect(await state()).toBe("set");
  });
});

describe("secrets and keys", () => {
  it("are in their own files only: in no argument, log, journal, answer or installed file", async () => {
    // Something in every kind of log and record: operations, refusals, logs, views.
    await cluster.ctl(1, ["machine", "add", "root@10.77.255.1", "-i", "/root/.ssh/id_ed25519"], { ok: [4] });
    await cluster.ctl(1, ["machine", "add", "root@m2", "-i", "/root/.ssh/id_ed25519"]);
    const { operations } = await cluster.json<{ operations: readonly { operation: string }[] }>(1, [
      "ops",
      "ls",
    ]);
    const answers = [
      ...(await Promise.all(
        operations.map(({ operation }) => cluster.ctl(1, ["ops", "show", operation, "--json"])),
      )),
      ...(await Promise.all(
        [
          ["status"],
          ["doctor"],
          ["mesh", "status"],
          ["mesh", "self-record"],
          ["daemon", "status"],
          ["ps"],
          ["machine", "ls"],
          ["machine", "rtt"],
          ["logs", "prod"],
        ].map((args) => cluster.ctl(1, [...args, "--json"], { ok: [0, 3] })),
      )),
    ].map(({ stdout, stderr }) => stdout + stderr);
    const secrets = await Promise.all(
      MACHINES.map((machine) =>
        on(machine, "cat /var/lib/ployz/identity/wireguard.key /var/lib/ployz/identity/nats.seed"),
      ),
    );
    const key = await on(1, "cat /root/.ssh/id_ed25519");
    const needles = [
      ...secrets.flatMap((text) => text.trim().split("\n")),
      ...key
        .split("\n")
        .filter((line) => line.length >= 40 && !line.startsWith("-"))
        .slice(1), // the first line is the same in every key
    ];
    expect(needles.length).toBeGreaterThan(7);
    for (const needle of [...needles, MARKER])
      for (const text of answers)
        expect(text.includes(needle), `${needle.slice(0, 6)}… in ${text.slice(0, 200)}`).toBe(false);

    for (const machine of MACHINES) {
      await cluster.lab.sh(machine, ["sh", "-c", "umask 077; cat > /dev/shm/needles"], {
        input: `${needles.join("\n")}\n`,
      });
      const found = await on(
        machine,
        "grep -rlaF -f /dev/shm/needles /var/lib/ployz /run/ployz /etc /usr/local /var/log /root /tmp /home /opt 2>/dev/null; rm /dev/shm/needles; true",
      );
      const files = found
        .trim()
        .split("\n")
        .filter((file) => !file.startsWith("/root/.ssh/"));
      // Each with its mode: readable by root alone.
      for (const file of files)
        expect(await on(machine, `stat -c '%a %U' '${file}'`), file).toBe("600 root\n");
      expect(files.filter((file) => !/^\/var\/lib\/ployz\/(identity|wireguard)\//.test(file))).toEqual([]);
      const argv = await on(machine, "cat /root/argv.log");
      expect(argv).toMatch(/ployzd/);
      for (const needle of [...needles, MARKER])
        expect(argv.includes(needle), `argv on m${machine}`).toBe(false);
    }
  });

  it("files, folders and sockets are for those who need them", async () => {
    for (const machine of MACHINES) {
      const modes = await on(
        machine,
        "stat -c '%a %U:%G %n' /var/lib/ployz/identity /var/lib/ployz/identity/* /run/ployz/ployzd.sock /run/ployz/services /var/lib/ployz/gateway",
      );
      expect(modes.trim().split("\n")).toEqual([
        "700 root:root /var/lib/ployz/identity",
        "600 root:root /var/lib/ployz/identity/nats.seed",
        "600 root:root /var/lib/ployz/identity/wireguard.key",
        "660 root:ployz /run/ployz/ployzd.sock",
        "700 root:root /run/ployz/services",
        "700 root:root /var/lib/ployz/gateway",
      ]);
      // Other users of the machine: no socket, no record, no variable of a workload, no log.
      const nobody = (script: string) =>
        on(
          machine,
          `setpriv --reuid 65534 --regid 65534 --clear-groups -- sh -c "${script}" 2>/dev/null; true`,
        );
      for (const socket of ["ployzd.sock", "gateway.sock", "dns.sock"])
        expect(
          await nobody(`curl -s --unix-socket /run/ployz/${socket} http://x/v1/version && echo got`),
          socket,
        ).toBe("");
      expect(await nobody("find /var/lib/ployz /run/ployz -type f -readable | head")).toBe("");
      expect(await nobody(`grep -rls hunter2 /var/lib/ployz /run/ployz /run/netns`)).toBe("");
      expect(await nobody("curl -s -m 3 -o /dev/null -w '%{http_code}' http://10.101.1.1:4319/")).not.toMatch(
        /^2/,
      );
    }
  });
});

describe("the local API", () => {
  const ASK = `
const http = require("node:http");
const ask = () => new Promise((done) => {
  const request = http.request({ socketPath: "/run/ployz/ployzd.sock", path: "/v1/status", agent: false }, (response) => {
    response.resume().on("end", () => done(response.statusCode)).on("error", () => done("cut"));
  });
  request.on("error", ({ code }) => done(code)).end();
});
Promise.all(Array.from({ length: 1000 }, ask)).then((answers) => {
  const counts = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  console.log(JSON.stringify(counts));
});`;

  it("answers 1,000 who ask for the status at once, or says that it is busy, in bounded memory", async () => {
    const pid = (await cluster.json<{ readonly pid: number }>(1, ["daemon", "status"])).pid;
    const peak = async () => Number(await on(1, `awk '/^VmHWM/ { print $2 }' /proc/${pid}/status`));
    const before = await peak();
    const rounds: Readonly<Record<string, number>>[] = [];
    for (let round = 0; round < 3; round++) {
      const { stdout } = await cluster.lab.sh(1, [node, "-e", ASK], { timeoutMs: 120_000 });
      rounds.push(JSON.parse(stdout) as Record<string, number>);
    }
    const after = await peak();
    for (const { 200: answered = 0, 409: busy = 0, ...others } of rounds) {
      expect(others).toEqual({});
      expect(answered).toBeGreaterThan(0);
      expect(answered + busy).toBe(1000);
    }
    expect(after, `KiB, from ${before}: ${JSON.stringify(rounds)}`).toBeLessThan(400 * 1024);
    await cluster.ctl(1, ["status"]);
  }, 400_000);
});
