import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, fixtures, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { HOSTILE, type Refusal, refuses } from "../../src/refusal.ts";
import { started } from "../../src/started.ts";
import { HOST, type Status, within } from "../../src/survive.ts";

/** m1 is a member; m2 and m3 are servers as bought: sshd, apt with its own packages, no route out. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3, members: 0, bare: true });
  const packages =
    "haproxy wireguard-tools wireguard-go iproute2 nftables iputils-ping s6 execline tini runc";
  await cluster.lab.sh(
    1,
    [
      "sh",
      "-c",
      `apt-get update -q && apt-get install -qy --no-install-recommends ${packages}; service haproxy stop`,
    ],
    {
      timeoutMs: 120_000,
    },
  );
  await cluster.ctl(1, ["daemon", "install"]);
  await cluster.ctl(1, ["mesh", "init", "prod-cluster"]);
  await cluster.lab.sh(1, ["sh", "-c", "ssh-keyscan -t ed25519 m2 m3 2>/dev/null > /root/.ssh/known_hosts"]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const KEY = ["--identity", "/root/.ssh/id_ed25519"] as const;
const LONG = { timeoutMs: 240_000 };
const NODE = "/usr/local/lib/ployz/current/lib/node";
const write = (machine: number, path: string, input: string) =>
  cluster.lab.sh(machine, ["sh", "-c", `cat > ${path} && chmod 755 ${path}`], { input });
const on = async (machine: number, script: string) =>
  (await cluster.lab.sh(machine, ["sh", "-c", script])).stdout;
const add = (args: readonly string[], wanted: Refusal) =>
  refuses(cluster, 1, ["machine", "add", ...args], wanted);

/** What an add leaves on its target and among the members. */
async function untouched(): Promise<void> {
  for (const machine of [2, 3])
    expect(
      await on(
        machine,
        "ls -d /usr/local/lib/ployz /var/lib/ployz /run/ployz /etc/ployz /usr/local/bin/ployz* 2>/dev/null; dpkg -l haproxy 2>/dev/null | grep ^ii; ls -d /tmp/tmp.* 2>/dev/null; true",
      ),
    ).toBe("");
  const { machines } = await cluster.json<{ machines: readonly unknown[] }>(1, ["machine", "ls"]);
  expect(machines).toHaveLength(1);
}

describe("machine add refuses", () => {
  it("an invalid target, before it connects", async () => {
    for (const target of ["m2", "root@", "root@m2:0", "root@m2:x", "-oProxyCommand=x@m2", "root@-oX"])
      await add(["--", target], { exit: 2, code: "usage", names: "user@host" });
    for (const host of HOSTILE.filter((name) => !["a/b", "A", ""].includes(name)).slice(0, 4))
      await cluster.ctl(1, ["machine", "add", "--", `root@${host}`], { ok: [2] });
    await add(["root@m2", "--name", "M 2"], { exit: 2, code: "invalid_input", names: "name" });
    await add(["root@m2", "--region", "$(id)", ...KEY], { exit: 2, code: "invalid_input", names: "region" });
    await add(["root@m2", "root@m2"], { exit: 2, code: "usage", names: "twice" });
    await add(["root@m2", "root@m3", "--name", "a"], { exit: 2, code: "usage", names: "--name" });
  });

  it("a machine that cannot be reached", async () => {
    await add(["root@10.77.255.1", ...KEY], {
      exit: 4,
      code: "ssh_unreachable",
      names: "10.77.255.1",
      hint: "address",
    });
    await add(["root@m2:2", ...KEY], { exit: 4, code: "ssh_unreachable", names: "m2:2", hint: "sshd" });
    await add(["root@nowhere.example.test", ...KEY], {
      exit: 4,
      code: "ssh_unreachable",
      names: "nowhere.example.test",
    });
  });

  it("a key that is wrong, locked, public, or not there", async () => {
    await on(
      1,
      'ssh-keygen -q -t ed25519 -N "" -f /root/wrong; ssh-keygen -q -t ed25519 -N secret -f /root/locked; echo x > /root/text',
    );
    await add(["root@m2", "-i", "/root/wrong"], {
      exit: 3,
      code: "ssh_auth_failed",
      names: "root@m2",
      hint: "--identity",
    });
    await add(["root@m2", "-i", "/root/locked"], {
      exit: 3,
      code: "ssh_identity_invalid",
      names: "/root/locked has a passphrase",
      hint: "ssh-add",
    });
    await add(["root@m2", "-i", "/root/wrong.pub"], {
      exit: 3,
      code: "ssh_identity_invalid",
      names: "public key",
      hint: "/root/wrong",
    });
    await add(["root@m2", "-i", "/root/text"], {
      exit: 3,
      code: "ssh_identity_invalid",
      names: "/root/text",
    });
    await add(["root@m2", "-i", "/root/none"], {
      exit: 3,
      code: "ssh_identity_unreadable",
      names: "/root/none",
    });
  });

  it("an unknown host key, with its fingerprint, and one that has changed", async () => {
    await on(1, "mv /root/.ssh/known_hosts /root/kept");
    try {
      const [first] = await add(["root@m2", ...KEY], {
        exit: 3,
        code: "ssh_host_key_unknown",
        names: "SHA256:",
        hint: "--accept-new-host-key",
      });
      const own = await on(2, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
      expect(own).toContain(String(first?.details?.fingerprint));
      await on(1, 'printf "m2 %s\\n" "$(cut -d" " -f1,2 /root/wrong.pub)" > /root/.ssh/known_hosts');
      await add(["root@m2", ...KEY, "--accept-new-host-key"], {
        exit: 3,
        code: "ssh_host_key_changed",
        names: "SHA256:",
        hint: "ssh-keygen -R m2",
      });
    } finally {
      await on(1, "mv /root/kept /root/.ssh/known_hosts");
    }
  });

  it("a machine whose ports, disk or routes do not fit, and a name that is taken", async () => {
    const refused = (wanted: Omit<Refusal, "exit">, more: readonly string[] = []) =>
      add(["root@m2", ...KEY, ...more], { exit: 3, ...wanted });
    for (const [protocol, port] of [
      ["tcp", 80],
      ["udp", 51820],
      ["udp", 53],
      ["tcp", 4319],
    ] as const) {
      const options = protocol === "tcp" ? ",Listen=>5" : "";
      const program = `use IO::Socket::INET; $s = IO::Socket::INET->new(Proto=>"${protocol}",LocalPort=>${port}${options}) or die; sleep 60`;
      const pid = await on(2, `perl -e '${program}' >/dev/null 2>&1 & echo $!; sleep 0.5`);
      try {
        await refused({ code: "port_taken", names: `${protocol}/${port}`, hint: "/etc/ployz/config.toml" });
      } finally {
        await on(2, `kill ${pid.trim()}`);
      }
    }
    for (const full of ["/usr/local", "/var/lib"]) {
      await on(
        2,
        `cp -a /var/lib/dpkg /root/dpkg && mount -t tmpfs -o size=100m tmpfs ${full} && { [ ${full} = /usr/local ] || cp -a /root/dpkg /var/lib/; }`,
      );
      try {
        await refused({ code: "disk_full", names: `MiB free on ${full}`, hint: "free at least" });
      } finally {
        await on(2, `umount ${full}; rm -r /root/dpkg`);
      }
    }
    await on(2, "ip route add 10.101.9.0/24 dev eth0");
    try {
      await refused({ code: "cidr_overlap", names: "10.101.9.0/24" });
    } finally {
      await on(2, "ip route del 10.101.9.0/24 dev eth0");
    }
    await on(2, "mv /bin/uname /bin/uname.own");
    await write(2, "/bin/uname", '#!/bin/sh\n[ "$1" = -m ] && exec echo aarch64\nexec /bin/uname.own "$@"\n');
    try {
      await refused({
        code: "arch_differs",
        names: "it is arm64, and the payload of this machine is for x64",
        hint: "invite",
      });
    } finally {
      await on(2, "mv /bin/uname.own /bin/uname");
    }
    await refused({ code: "name_taken", names: "m1", hint: "--name" }, ["--name", "m1"]);
    await refused({ code: "docker_unavailable", names: "Docker" }, ["--runtime", "docker"]);
    await untouched();
  });
});

/** Holds dpkg's lock, as unattended-upgrades does in a server's first minutes, until it is ended; says so first. */
const BUSY_DPKG = `use Fcntl; open(F, ">>", "/var/lib/dpkg/lock-frontend") or die; $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLKW, $lock) or die; print "$$\\n"; close STDOUT; close STDERR; sleep 300`;

/** m2 leaves, as it was bought. It confirms the order first, and then leaves. */
async function sellAgain(): Promise<void> {
  await cluster.ctl(1, ["machine", "rm", "m2", "--yes"], { timeoutMs: 120_000 });
  const left = "[ -e /sys/class/net/ployz-wg0 ] || [ -e /var/lib/ployz/membership.json ] || echo left";
  await within("m2 has left", 60_000, async () => (await on(2, left)) !== "" || undefined);
  await on(2, "apt-get purge -qy haproxy wireguard-tools s6 >/dev/null 2>&1; rm -rf /usr/local/lib/ployz");
}

describe("machine add", () => {
  it("takes a server as it is sold: its login shell prints, /tmp is noexec, and dpkg is busy", async () => {
    await on(
      2,
      "cp /root/.bashrc /root/.bashrc.kept; sed -i '1i echo Welcome to your new server' /root/.bashrc",
    );
    await on(2, "mount -t tmpfs -o noexec,mode=1777 tmpfs /tmp");
    const busy = await on(2, `perl -e '${BUSY_DPKG}' 2>&1 & :`);
    expect(busy).toMatch(/^\d+$/m);
    try {
      const adding = await started(cluster, 1, ["machine", "add", "root@m2", ...KEY]);
      await adding.event(({ note }) => note?.includes("waiting for another apt or dpkg") === true);
      await on(2, `kill ${busy.trim()}`);
      expect((await adding.done).exitCode).toBe(0);
      expect(await on(2, "ls -A /tmp")).not.toContain("ployz");
    } finally {
      await on(2, "umount /tmp; mv /root/.bashrc.kept /root/.bashrc");
    }
    await sellAgain();
  });

  it("takes a server whose clock is an hour fast, says so, alerts, and serves from it", async () => {
    const { stdout: files } = await run("dpkg", ["-L", "libfaketime"]); // of this computer: m2 has no way out
    const library = files.split("\n").find((file) => file.endsWith("/libfaketimeMT.so.1")) ?? "";
    const input = (await readFile(library)).toString("base64");
    await cluster.lab.sh(2, ["sh", "-c", "base64 -d > /usr/lib/faketime.so"], { input });
    await write(2, "/usr/local/bin/date", '#!/bin/sh\nexec /usr/bin/date -d "1 hour" "$@"\n');
    await write(1, "/root/receiver.mjs", await readFile(join(fixtures, "receiver.mjs"), "utf8"));
    await on(1, `${NODE} /root/receiver.mjs /root/alerts.log >/dev/null 2>&1 &`);
    await cluster.ctl(1, ["alert", "add", "ops", "--to", "http://127.0.0.1:9999/"]);
    const added = await cluster.ctl(1, ["machine", "add", "root@m2", ...KEY, "--json"], LONG);
    expect(added.stdout).toContain("the clock of m2 is 60 min fast");
    // All programs of Ployz there, from now on.
    await on(2, `mv ${NODE} ${NODE}.real`);
    const env =
      "LD_PRELOAD=/usr/lib/faketime.so FAKETIME=+1h DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1";
    await write(2, NODE, `#!/bin/sh\nexec env ${env} "$0.real" "$@"\n`);
    for (const name of ["ployzd", "ployz-gateway", "ployz-dns"])
      await on(2, `s6-svc -wr -T 30000 -r /run/ployz/services/${name}`);
    await within("status tells it", 60_000, async () => {
      const { warnings } = await cluster.json<Status>(1, ["status"]);
      return warnings.some(({ message }) => /clock of m2 is 3[56]\d\d s ahead/.test(message)) || undefined;
    });
    await within("the alert", 240_000, async () => {
      const sent = await on(1, "grep -c clock_skewed /root/alerts.log || true");
      return Number(sent) > 0 || undefined;
    });
    for (const i of [1, 2]) {
      const options = { version: `v${i}`, replicas: 2, extra: 'constraints = { machines = ["m2"] }\n' };
      const file = await cluster.put(i, webManifest(options), webBundle);
      await cluster.ctl(i, ["deploy", "-f", file], LONG);
    }
    for (const i of [1, 2]) expect((await cluster.get(i, HOST)).body).toContain("v2");
    await cluster.ctl(2, ["namespace", "rm", "prod", "--yes"], LONG);
    await on(
      2,
      `mv ${NODE}.real ${NODE}; rm /usr/local/bin/date; s6-svc -wr -T 30000 -r /run/ployz/services/ployzd`,
    );
    await within("the daemon of m2 answers", 60_000, async () => {
      const { exitCode } = await cluster.ctl(2, ["daemon", "status"], { ok: [0, 3, 4] });
      return exitCode === 0 || undefined;
    });
    await sellAgain();
  });

  it("installs what a bare server lacks, from the server's own packages; an add again changes nothing", async () => {
    expect(await on(2, "command -v haproxy wg s6-svscan nft || true")).not.toContain("haproxy");
    await cluster.ctl(1, ["machine", "add", "root@m2", ...KEY], { timeoutMs: 180_000 });
    expect(await on(2, "command -v haproxy wg")).toContain("haproxy");
    const again = await cluster.ctl(1, ["machine", "add", "root@m2", ...KEY]);
    expect(again.stdout).toMatch(/m2.*(already|nothing)/i);
    await add(["root@m2", ...KEY, "--name", "other"], {
      exit: 3,
      code: "already_member",
      names: "as m2",
      hint: "--name",
    });
  });

  it("does not take a member of another cluster", async () => {
    await cluster.ctl(1, ["machine", "add", "root@m3", ...KEY], { timeoutMs: 180_000 });
    // As it looks to another cluster: the same machine with a foreign membership.
    await on(3, "ployzctl mesh leave && ployzctl mesh init elsewhere --machine m3 --cidr 10.102.0.0/16");
    await add(["root@m3", ...KEY, "--name", "m4"], {
      exit: 3,
      code: "other_cluster",
      names: "root@m3",
      hint: "mesh destroy",
    });
    expect(await on(3, "ployzctl mesh status")).toContain("elsewhere");
  });

  it("of several targets, says of each what happened, and exits with the worst", async () => {
    const result = await cluster.ctl(1, ["--json", "machine", "add", "root@m2", "root@10.77.255.1", ...KEY], {
      ok: [4],
    });
    const { machines } = JSON.parse(result.stdout) as {
      machines: readonly { target: string; state: string }[];
    };
    expect(machines.map(({ target, state }) => [target, state])).toEqual([
      ["root@m2", "done"],
      ["root@10.77.255.1", "refused"],
    ]);
  });
});
