import { join } from "node:path";
import { run } from "@ployz/exec";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster, webBundle } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

/** Two machines with volumes, and m3, which becomes a cluster of its own. m1 serves the repositories. */
let cluster: Cluster;
const MACHINES = [1, 2, 3] as const;
const on = async (machine: number, script: string, input?: string) =>
  (
    await cluster.lab.sh(machine, ["sh", "-c", script], {
      timeoutMs: 120_000,
      ...(input !== undefined && { input }),
    })
  ).stdout;
const everywhere = (script: string, input?: string) =>
  Promise.all(MACHINES.map((machine) => on(machine, script, input)));
const s3 = (path: string) => on(1, `curl -sS 'https://m1:4577${path}'`);

interface Backups {
  readonly backups: readonly { readonly id: string; readonly volume: string; readonly repository: string }[];
}
interface Volumes {
  readonly volumes: readonly { readonly name: string; readonly machine: string }[];
}
const backups = async (machine: number, repository: string) =>
  (await cluster.json<Backups>(machine, ["backup", "ls", "prod", "--repository", repository])).backups;

const manifest = (bundle = "./app") => `namespace = "prod"
[services.db]
bundle = "${bundle}"
command = ["sh", "-c", "test -e /data/rows || head -c 3000000 /dev/urandom > /data/rows; exec sleep 100000"]
volumes = { data = "/data" }

[services.journal]
bundle = "${bundle}"
command = ["sh", "-c", "test -e /log/rows || head -c 3000000 /dev/urandom > /log/rows; exec sleep 100000"]
volumes = { log = "/log" }

[volumes.data]
[volumes.log]
`;
const S3_KEYS = "AWS_ACCESS_KEY_ID=S3RVER\nAWS_SECRET_ACCESS_KEY=S3RVER\n";
const REMOTE = "RCLONE_CONFIG_NAS_";
/** As an operator's secret has them: the private key as it is, and the server's keys, each in a line of its own. */
let sshKeys = "";
const REPOSITORIES: readonly (readonly [name: string, url: string, keys: () => string])[] = [
  ["s3", "s3:https://m1:4577/backups/s3", () => S3_KEYS],
  ["rest", "rest:http://m1:4578/prod", () => "rest_username=me\nrest_password=hidden-word\n"],
  [
    "rclone",
    "rclone:nas:backups/rclone",
    () =>
      `${REMOTE}TYPE=s3\n${REMOTE}PROVIDER=Other\n${REMOTE}ENDPOINT=https://m1:4577\n${REMOTE}ACCESS_KEY_ID=S3RVER\n${REMOTE}SECRET_ACCESS_KEY=S3RVER\n`,
  ],
  ["sftp", "sftp:root@m1:/srv/backups", () => sshKeys],
];
const setSecret = (machine: number, name: string, keys: string) =>
  cluster.ctl(machine, ["secret", "set", `ops/${name}`], { input: `password=hidden-password\n${keys}` });
const add = (machine: number, name: string, url: string) =>
  cluster.ctl(machine, ["backup", "repository", "add", name, url, "--secret", `ops/${name}`]);
const refused = async (ok: number, args: readonly string[]) => {
  const { stdout, stderr } = await cluster.ctl(1, args, { ok: [ok] });
  return `${stdout}${stderr}`;
};
const sums = async (machine: number) =>
  Promise.all(
    ["prod/db -- sha256sum /data/rows", "prod/journal -- sha256sum /log/rows"].map((program) =>
      on(machine, `ployzctl exec ${program} | cut -c1-64`),
    ),
  );

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, members: 2, installed: 3, volumes: true });
  const { machines } = await cluster.lab.info();
  const { outputFiles } = await build({
    entryPoints: [join(fixtures, "s3-server.mjs")],
    ...{ bundle: true, platform: "node", format: "esm", target: "node20", write: false },
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire("/");' },
  });
  for (const { init } of machines) await run("cp", ["/usr/bin/rclone", `/proc/${init}/root/usr/bin/rclone`]);
  await on(1, "mkdir -p /srv/s3 /srv/rest /srv/backups; cat > /root/s3.mjs", outputFiles[0]?.text ?? "");
  await on(
    1,
    "cd /root && openssl req -x509 -newkey rsa:2048 -nodes -days 5 -subj /CN=m1 -addext subjectAltName=DNS:m1 -keyout s3.key -out s3.pem",
  );
  await everywhere("cat >> /etc/ssl/certs/ca-certificates.crt", await on(1, "cat /root/s3.pem"));
  await on(
    1,
    "ssh-keygen -q -t ed25519 -N '' -f /root/backups && cat /root/backups.pub >> /root/.ssh/authorized_keys",
  );
  const known = (await on(1, "ssh-keyscan m1 2>/dev/null")).trim().split("\n");
  sshKeys = `ssh_key=${await on(1, "cat /root/backups")}\n${known.map((line) => `ssh_known_hosts=${line}\n`).join("")}`;
  await on(1, `${node} /root/s3.mjs /srv/s3 4577 /root/s3.pem /root/s3.key > /root/s3.log 2>&1 &`);
  await on(
    1,
    "rclone serve restic --addr :4578 --user me --pass hidden-word /srv/rest > /root/rest.log 2>&1 &",
  );
  await within("the S3 server", 30_000, async () => ((await s3("/work")) === "" ? true : undefined));
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest(), { app: webBundle.web })]);
  await cluster.ctl(1, ["migrate", "prod/db", "--to", "m1"]);
  await cluster.ctl(1, ["migrate", "prod/journal", "--to", "m2"]);
}, 600_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

it.each(REPOSITORIES)("volumes of two machines go to %s and are verified", async (name, url, keys) => {
  await setSecret(1, name, keys());
  const added = await add(1, name, url);
  await cluster.ctl(1, ["backup", "run", "prod", "--repository", name]);
  const listed = await backups(1, name);
  expect(listed.map(({ volume }) => volume).sort()).toEqual(["data", "log"]);
  const verified = await cluster.ctl(1, ["backup", "verify", "prod", "--repository", name]);
  const shown = await cluster.ctl(1, ["backup", "repository", "show", name]);
  for (const { stdout, stderr } of [added, verified, shown])
    expect(`${stdout}${stderr}`).not.toMatch(/hidden-|S3RVER/);
});

it("expired keys, a full bucket and unknown keys are failures that say so, and the next run succeeds", async () => {
  const backup = (name: string) => ["backup", "run", "prod", "--repository", name];
  await s3("/fail?403=ExpiredToken");
  expect(await refused(3, backup("s3"))).toContain("refuses the credentials");
  expect(await refused(3, backup("rclone"))).toContain("keys");
  await s3("/fail?507=InsufficientStorage");
  const full = await cluster.ctl(1, backup("s3"), { ok: [1, 3], timeoutMs: 240_000 });
  expect(`${full.stdout}${full.stderr}`).toContain("it is full");
  await s3("/work");
  await setSecret(1, "s3", S3_KEYS.replace("S3RVER", "NOBODY"));
  expect(await refused(3, backup("s3"))).toContain("refuses the credentials");
  await setSecret(1, "s3", S3_KEYS);
  await setSecret(1, "rest", "rest_username=me\nrest_password=wrong\n");
  expect(await refused(3, backup("rest"))).toContain("refuses the credentials");
  await setSecret(1, "rclone", "RCLONE_CONFIG_OTHER_TYPE=s3\n");
  expect(await refused(3, backup("rclone"))).toContain("rclone does not know its remote");
  await cluster.ctl(1, backup("s3"));
  expect(await backups(1, "s3")).toHaveLength(4);
}, 600_000);

it("a repository that another program has locked is waited for", async () => {
  await on(
    1,
    "RESTIC_PASSWORD=hidden-password restic -r /srv/backups check --read-data --limit-download 1 --no-cache > /root/check.log 2>&1 & echo $! > /root/check.pid",
  );
  let said = "";
  await within("the lock", 30_000, async () => {
    if ((await on(1, "ls /srv/backups/locks")) !== "") return true;
    said = await on(1, "cat /root/check.log");
    return undefined;
  }).catch((error: unknown) => {
    throw new Error(`no lock of the other program, which said: ${said}`, { cause: error });
  });
  await on(
    1,
    "(ployzctl backup run prod --repository sftp > /root/locked.log 2>&1; echo $? > /root/locked.code) > /dev/null 2>&1 &",
  );
  await within("the run that waits", 60_000, async () =>
    (await on(1, "cat /root/locked.log")).includes("another program has locked sftp") ? true : undefined,
  );
  expect(await on(1, "cat /root/locked.code 2>/dev/null || true")).toBe("");
  await on(1, "kill -9 $(cat /root/check.pid)");
  const code = await within("its end", 90_000, async () => {
    const found = (await on(1, "cat /root/locked.code 2>/dev/null || true")).trim();
    return found === "" ? undefined : found;
  });
  expect(code).toBe("0");
}, 300_000);

it("another, empty cluster restores the namespace by one command, and deploys its manifest", async () => {
  const before = await sums(1);
  await cluster.ctl(1, ["backup", "run", "prod", "--repository", "sftp"]);
  const newest = (await backups(1, "sftp")).at(-1)?.id ?? "";
  await cluster.ctl(3, ["daemon", "install", "--runtime", "host", "--zfs-root", "tank/ployz"]);
  await cluster.ctl(3, ["mesh", "init", "other-cluster"]);
  await setSecret(3, "sftp", sshKeys);
  await add(3, "sftp", "sftp:root@m1:/srv/backups");
  const { stdout } = await cluster.ctl(3, ["backup", "restore", `prod@${newest}`, "--as", "prod"]);
  const { volumes } = await cluster.json<Volumes>(3, ["volume", "ls", "prod", "--all"]);
  expect(volumes.map(({ name }) => name).sort()).toEqual(["data", "log"]);
  // No machine of this cluster has the bundle.
  const printed = stdout
    .slice(stdout.indexOf("namespace ="))
    .replaceAll(/bundle = "[^"]*"/g, 'bundle = "./app"');
  await cluster.ctl(3, ["deploy", "-f", await cluster.put(3, printed, { app: webBundle.web })]);
  expect(await sums(3)).toEqual(before);
}, 300_000);
