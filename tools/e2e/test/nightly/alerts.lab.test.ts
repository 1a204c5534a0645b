import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import type { AlertList, StoreStatus } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster, webBundle } from "../../src/cluster.ts";
import { publishRecord } from "../../src/store.ts";
import { daemonStatus, daemonUp } from "../../src/survive.ts";

/** Three machines that hold the store; m3's data folder is a file system of its own. Each has receivers of its own: the sender sends to its own loopback. */
const KEY = "0123456789abcdef0123";
const HIDDEN = ["hidden-path", "hidden-value", "hidden-env", KEY];
const MACHINES = [1, 2, 3] as const;
let cluster: Cluster;
const on = async (i: number, script: string, input?: string) =>
  (
    await cluster.lab.sh(i, ["sh", "-c", script], {
      timeoutMs: 120_000,
      ...(input !== undefined && { input }),
    })
  ).stdout;
const everywhere = (script: string) => Promise.all(MACHINES.map((i) => on(i, script)));
const receive = (i: number) => on(i, `(${node} /root/receiver.mjs /root/alerts.log) >/dev/null 2>&1 &`);
const ctl = (args: readonly string[], input?: string) =>
  cluster.ctl(1, args, { timeoutMs: 240_000, ...(input !== undefined && { input }) });
const deploy = async (manifest: string, ok: readonly number[] = [0]) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, webBundle)], { ok, timeoutMs: 240_000 });

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, members: 2, volumes: true, poolSize: "1G" });
  await on(3, "mkdir -p /var/lib/ployz && mount -t tmpfs -o size=3g,mode=0755 tmpfs /var/lib/ployz");
  await on(
    3,
    "truncate -s 1G /var/lib/second.img && zpool attach tank /var/lib/tank.img /var/lib/second.img",
  );
  const key = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key", "--zfs-root", "tank/ployz"];
  await ctl(["machine", "add", "root@m3", ...key]);
  await ctl(["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3"]);
  const receiver = await readFile(join(fixtures, "receiver.mjs"), "utf8");
  for (const i of MACHINES) {
    await on(i, "cat > /root/receiver.mjs", receiver);
    await receive(i);
  }
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

type Taken = {
  readonly by: "http" | "smtp";
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
};
async function taken(machines: readonly number[] = MACHINES): Promise<readonly Taken[]> {
  const logs = await Promise.all(machines.map((i) => on(i, "cat /root/alerts.log 2>/dev/null || true")));
  return logs.flatMap((log) =>
    log
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Taken),
  );
}
type Condition = { readonly code: string; readonly about: string };
type Message = {
  readonly begun: readonly Condition[];
  readonly ended: readonly Condition[];
  readonly test?: true;
};
const messages = async (machines?: readonly number[]) =>
  (await taken(machines)).filter(({ by }) => by === "http").map(({ body }) => JSON.parse(body) as Message);
/** Begins and ends of one condition. */
const countsIn = (all: readonly Message[], code: string, about: string) => {
  const count = (when: "begun" | "ended") =>
    all.flatMap((message) => message[when]).filter((one) => one.code === code && one.about === about).length;
  return { begun: count("begun"), ended: count("ended") };
};
/** The same in all messages by HTTP. */
const counts = async (code: string, about: string, machines?: readonly number[]) =>
  countsIn(await messages(machines), code, about);
const within = (what: string, timeoutMs: number, read: () => Promise<boolean>) =>
  waitFor(what, async () => ((await read()) ? true : undefined), { timeoutMs, intervalMs: 2_000 });
const begins = (code: string, about: string, machines?: readonly number[]) =>
  within(
    `the begin of ${code} ${about}`,
    240_000,
    async () => (await counts(code, about, machines)).begun > 0,
  );
const ends = (code: string, about: string, machines?: readonly number[]) =>
  within(`the end of ${code} ${about}`, 420_000, async () => (await counts(code, about, machines)).ended > 0);
/** Each condition has begun, or ended. */
const all = (conditions: readonly (readonly [string, string])[], when: "begun" | "ended") => {
  let missing: readonly string[] = [];
  return within(`${when}: all of ${conditions.length}`, 420_000, async () => {
    const sent = await messages();
    missing = conditions.flatMap(([code, about]) =>
      countsIn(sent, code, about)[when] > 0 ? [] : [`${code} ${about}`],
    );
    return missing.length === 0;
  }).catch((error: unknown) => {
    throw new Error(`not ${when}: ${missing.join(", ")}`, { cause: error });
  });
};
const list = (i = 1) => cluster.json<AlertList>(i, ["alert", "ls"]);
const ONCE = { begun: 1, ended: 1 };

it("takes URLs that no command prints again, and tests them", async () => {
  await on(1, `printf %s ${KEY} > /root/key`);
  const add = ["alert", "add", "ops", "--to", "http://127.0.0.1:9999/hidden-path", "--key-file", "/root/key"];
  expect(await cluster.json(1, add)).toMatchObject({ kind: "alert-set", changed: true });
  expect(await cluster.json(1, add)).toMatchObject({ changed: false });
  await ctl(["alert", "add", "mail", "--to", "smtp://127.0.0.1:2525/?from=ployz@x.test&to=ops@x.test"]);
  await ctl(["alert", "test", "ops"]);
  await ctl(["alert", "test", "mail"]);
  const [web, mail] = await taken([1]);
  expect(web?.path).toBe("/hidden-path");
  const hmac = createHmac("sha256", KEY).update(web?.body ?? "");
  expect(web?.headers["ployz-signature"]).toBe(`sha256=${hmac.digest("hex")}`);
  expect(mail?.body).toContain("Subject: [ployz prod-cluster] test");
  const shown = `${(await ctl(["alert", "ls"])).stdout}${JSON.stringify(await list())}`;
  expect(shown).toContain("http://127.0.0.1:9999");
  expect(shown).toContain("smtp://127.0.0.1:2525");
  expect(shown).not.toMatch(/hidden/);
  for (const wrong of ["ftp://x/y", "http://u:p@x/y", "x", "smtp://x/?from=a@b"])
    await cluster.ctl(1, ["alert", "add", "ops", "--to", wrong], { ok: [2] });
});

it("sends that the store has another leader, and that it had", async () => {
  const leader = async () =>
    (await cluster.json<StoreStatus>(1, ["store", "status"])).streams[0]?.leader ?? "";
  // The present one has to be known before.
  await within("a sender", 60_000, async () => (await list()).sender !== undefined);
  const first = await leader();
  await on(Number(first.slice(1)), "pkill -STOP -x nats-server");
  await within("another leader", 60_000, async () => !["", first].includes(await leader().catch(() => "")));
  await on(Number(first.slice(1)), "pkill -CONT -x nats-server");
  await begins("store_leader_changed", "");
});

const steady = 'command = ["sh", "-c", "while :; do sleep 1; done"]';
const service = (name: string, command: string, extra = "") =>
  `[services.${name}]\nbundle = "./web"\n${command}\n${extra}\n`;
/** With `bad`, every service and job of it fails in its own way. */
const troubled = (bad: boolean) => `namespace = "prod"
${service("loop", bad ? 'command = ["sh", "-c", "sleep 30; exit 3"]' : steady, 'env = { PASSWORD = "hidden-env" }')}
${service("greedy", bad ? 'command = ["sh", "-c", "sleep 30; x=x; while :; do x=$x$x; done"]' : steady, 'resources = { memory = "32M" }')}
${service(
  "web",
  `command = ["${node}", "server.mjs"]`,
  'ports = { http = 8080 }\nroutes = [{ host = "www.example.test", port = "http" }]\nready = { http = "/healthz", port = "http" }',
)}
${service("db", steady, 'volumes = { data = "/data", files = "/files" }\nconstraints = { machines = ["m1"] }')}
[volumes.data]
standby = { machines = ["m2"], every = "5s" }
[volumes.files.backup]
repository = "off"
cron = "30 2 * * *"
[jobs.broken]
bundle = "./web"
command = ["sh", "-c", "${bad ? "exit 7" : "true"}"]
schedule = { every = "5s" }
[jobs.slow]
bundle = "./web"
command = ["sh", "-c", "${bad ? "sleep 100" : "true"}"]
schedule = { every = "10s" }
`;
const failing = (bad: boolean) =>
  `namespace = "other"\n${service("app", bad ? 'command = ["sh", "-c", "exit 1"]' : steady)}`;
const web = (signal: string) => everywhere(`pkill -${signal} -f "^[^ ]*node server.mjs" || true`);

const TROUBLE: readonly (readonly [code: string, about: string])[] = [
  ["restart_loop", "prod/loop"],
  ["out_of_memory", "prod/greedy"],
  ["instance_unhealthy", "prod/web.1"],
  ["schedule_failed", "prod/broken"],
  ["schedule_missed", "prod/slow"],
  ["standby_behind", "prod/data m2"],
  ["operation_failed", "deploy other"],
  ["certificate_due", "tls.example.test"],
  ["disk_nearly_full", "m3"],
  ["inodes_nearly_used", "m3"],
  ["pool_degraded", "m3"],
  ["pool_nearly_full", "m3"],
  ["memory_nearly_full", "m2"],
  ["backup_old", "prod/data"],
  ["backup_late", "prod/files"],
];
/** A certificate of which the most time is over. */
const AGED = `cd /root && openssl genrsa -out tls.key 2048 && openssl req -new -key tls.key -subj /CN=tls.example.test -out tls.csr && touch index.txt
printf '[ca]\\ndefault_ca=x\\n[x]\\ndatabase=index.txt\\nnew_certs_dir=.\\nrand_serial=yes\\ndefault_md=sha256\\npolicy=p\\nx509_extensions=e\\n[p]\\ncommonName=supplied\\n[e]\\nsubjectAltName=DNS:tls.example.test\\n' > ca.cnf
openssl ca -batch -selfsign -config ca.cnf -keyfile tls.key -in tls.csr -out tls.pem -notext -startdate "$(date -u -d '-80 days' +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d '+5 days' +%Y%m%d%H%M%SZ)"`;
/** The last backup of both volumes, so many days ago. */
const backedUp = (days: number) => {
  const at = new Date(Date.now() - days * 86_400_000).toISOString();
  const data = { backup: "b", repository: "none", machine: "m1", at, bytes: 1, addedBytes: 1 };
  return publishRecord(cluster, 1, "fact.backup-run.prod", {
    operation: "01",
    at,
    by: "",
    volumes: { data, files: { ...data, repository: "off" } },
  });
};

it("sends one begin and one end of each condition", async () => {
  await ctl(["secret", "set", "prod/token"], "hidden-value\n");
  await ctl(["secret", "set", "ops/off"], "password=hidden-value");
  await everywhere("mkdir -p /srv/backups");
  await ctl(["backup", "repository", "add", "off", "file:/srv/backups", "--secret", "ops/off"]);
  await deploy(troubled(true));
  await deploy(failing(true), [1]);
  await within("a standby", 120_000, async () =>
    (await cluster.ctl(1, ["volume", "standby", "ls"])).stdout.includes("current"),
  );
  await ctl(["schedule", "pause", "prod/data.standby-m2"]);
  await web("STOP");
  await on(3, "zpool offline tank /var/lib/second.img");
  await on(3, "zfs create -o mountpoint=/fill tank/fill && dd if=/dev/urandom of=/fill/x bs=1M count=910");
  await on(
    3,
    'cd /var/lib/ployz && mkdir filler && (cd filler && seq 3000 | xargs touch) && mount -o remount,size="$(($(df -k --output=used . | tail -1) + 600000))k",nr_inodes="$(($(df --output=iused . | tail -1) * 104 / 100))" .',
  );
  await on(1, AGED);
  await ctl(["cert", "import", "tls.example.test", "--cert", "/root/tls.pem", "--key", "/root/tls.key"]);
  await on(
    2,
    'sed "s/^MemAvailable:.*/MemAvailable: 1024 kB/" /proc/meminfo > /root/meminfo && mount --bind /root/meminfo /proc/meminfo',
  );
  await backedUp(9);
  await all(TROUBLE, "begun");

  await on(2, "umount /proc/meminfo");
  await backedUp(0);
  await on(3, "rm -r /var/lib/ployz/filler; mount -o remount,size=3g,nr_inodes=1000000 /var/lib/ployz");
  await on(
    3,
    "for n in $(seq 30); do zfs destroy tank/fill && break; sleep 1; done; ! zfs list tank/fill 2>/dev/null && zpool online tank /var/lib/second.img",
  );
  await web("CONT");
  await ctl(["schedule", "resume", "prod/data.standby-m2"]);
  await ctl(["cert", "rm", "tls.example.test", "--yes"]);
  await deploy(failing(false));
  await deploy(troubled(false));
  await all(TROUBLE, "ended");
  const sent = await messages();
  expect(TROUBLE.map(([code, about]) => [code, about, countsIn(sent, code, about)])).toEqual(
    TROUBLE.map(([code, about]) => [code, about, ONCE]),
  );
  await ends("store_leader_changed", "");
  expect(await counts("store_leader_changed", "")).toEqual(ONCE);
});

interface Instances {
  readonly instances: readonly { readonly committed: boolean }[];
}
interface Operations {
  readonly operations: readonly {
    readonly title: string;
    readonly operation: string;
    readonly state: string;
  }[];
}

it("sends that an operation was interrupted, and that it is over", async () => {
  const manifest = (path: string) =>
    `namespace = "third"\n${service("app", `command = ["${node}", "server.mjs"]`, `ports = { http = 8080 }\nready = { http = "${path}", port = "http", timeout = "2m" }`)}`;
  const put = (path: string) => cluster.put(2, manifest(path), webBundle);
  const running = cluster.ctl(2, ["deploy", "-f", await put("/never")], { ok: [0, 1, 3, 4, 5] });
  const operation = await waitFor(
    "the operation",
    async () =>
      (await cluster.json<Operations>(1, ["ops", "ls"])).operations.find(
        ({ title }) => title === "deploy third",
      )?.operation,
    { timeoutMs: 60_000, intervalMs: 500 },
  );
  const { pid } = await daemonStatus(cluster, 2);
  await on(2, `kill -9 ${pid}`);
  await running;
  await daemonUp(cluster, 2, pid);
  await begins("operation_open", operation);
  await cluster.ctl(2, ["deploy", "-f", await put("/healthz")], { timeoutMs: 240_000 });
  await ends("operation_open", operation);
  expect(await counts("operation_open", operation)).toEqual(ONCE);
});

it("sends that a machine is away and that cleanup is owed there, once each, later to a receiver that failed", async () => {
  const fourth = (machine: string) =>
    `namespace = "fourth"\n${service("app", `command = ["${node}", "server.mjs"]`, `env = { START_MS = "15000" }\nports = { http = 8080 }\nready = { http = "/healthz", port = "http" }\nconstraints = { machines = ["${machine}"] }`)}`;
  await deploy(fourth("m3"));
  await everywhere("curl -sS http://127.0.0.1:9999/fail");
  // The new instance runs before m3, which has the old one, is cut off.
  const moving = deploy(fourth("m1"), [5]);
  await within("the new instance", 60_000, async () =>
    (await cluster.json<Instances>(1, ["ps", "fourth"])).instances.some(({ committed }) => !committed),
  );
  await cluster.lab.partition(3, 1);
  await cluster.lab.partition(3, 2);
  try {
    await moving;
    await within("the failed delivery to show", 180_000, async () => {
      const ops = (await list()).alerts.find(({ name }) => name === "ops");
      return ops?.state === "failing" && ops.waiting > 0;
    });
    expect((await list()).alerts.find(({ name }) => name === "ops")?.delivery?.error).toContain("503");
    await everywhere("curl -sS http://127.0.0.1:9999/work");
    await begins("machine_unreachable", "m3", [1, 2]);
    const owing = (await cluster.json<Operations>(1, ["ops", "ls"])).operations.find(
      ({ title, state }) => title === "deploy fourth" && state === "cleanup-owed",
    );
    await begins("operation_open", owing?.operation ?? "none", [1, 2]);
    const metrics = await on(1, "curl -sS http://10.101.1.1:9464/metrics");
    expect(metrics).toContain('ployz_alerts{code="machine_unreachable",about="m3"} 1');
    await cluster.lab.heal();
    await ends("machine_unreachable", "m3");
    await ends("operation_open", owing?.operation ?? "none");
    expect(await counts("operation_open", owing?.operation ?? "none")).toEqual(ONCE);
  } finally {
    await cluster.lab.heal();
    await everywhere("curl -sS http://127.0.0.1:9999/work");
  }
  await within("alerts that wait for nothing", 120_000, async () =>
    (await list()).alerts.every(({ waiting, state }) => waiting === 0 && state === "ok"),
  );
  expect(await counts("machine_unreachable", "m3")).toEqual(ONCE);
});

it("sends once that the store has no quorum, without it, and once that it is back", async () => {
  try {
    for (const i of [2, 3]) await on(i, "pkill -STOP -x nats-server");
    await begins("store_unreachable", "");
    expect((await cluster.json<StoreStatus>(1, ["store", "status"])).state).toBe("no-quorum");
  } finally {
    for (const i of [2, 3]) await on(i, "pkill -CONT -x nats-server");
  }
  await ends("store_unreachable", "");
  expect(await counts("store_unreachable", "")).toEqual(ONCE);
});

it("is sent by another machine when the sender dies", async () => {
  await within("a sender", 60_000, async () => (await list()).sender !== undefined);
  const sender = (await list()).sender ?? "";
  const alive = MACHINES.filter((i) => `m${i}` !== sender);
  const before = await counts("machine_unreachable", sender);
  await cluster.lab.cut(Number(sender.slice(1)));
  await within("another sender's message", 240_000, async () => {
    const { begun } = await counts("machine_unreachable", sender, alive);
    return begun > before.begun || (before.begun === 0 && begun === 1);
  });
  expect((await list(alive[0])).sender).not.toBe(sender);
});

it("has no secret in any message, and is removed", async () => {
  const { sender = "m1" } = await list(2).catch(() => list(3));
  const there = Number(sender.slice(1));
  const alive: number[] = [];
  for (const i of MACHINES)
    if (
      await on(i, "true").then(
        () => true,
        () => false,
      )
    )
      alive.push(i);
  const bodies = (await taken(alive)).map(({ body }) => body);
  expect(bodies.length).toBeGreaterThan(5);
  for (const hidden of HIDDEN) expect(bodies.filter((body) => body.includes(hidden))).toEqual([]);
  for (const name of ["ops", "mail"])
    expect(await cluster.json(there, ["alert", "rm", name])).toMatchObject({ changed: true });
  expect(await cluster.json(there, ["alert", "rm", "ops"])).toMatchObject({ changed: false });
});
