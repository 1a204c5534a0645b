import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";

/** A build that the operator signed: m1 founds with it, m2 is added, m3 has another key, m4 joins by token. */
let cluster: Cluster;
let keys: string;
let first: string;

const KEY = "/etc/ployz/release.pub";
const SSH = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];

interface Outcome {
  readonly machines: readonly {
    readonly machine: string;
    readonly state: string;
    readonly errors: readonly { readonly code: string; readonly message: string }[];
  }[];
}

const on = async (i: number, script: string, args: readonly string[] = [], input?: string) =>
  cluster.lab.sh(i, ["sh", "-c", script, "sh", ...args], {
    ...{ timeoutMs: 60_000, okExitCodes: [0, 3] },
    ...(input !== undefined && { input }),
  });
const text = async (i: number, script: string) => (await on(i, script)).stdout.trim();
const give = async (i: number, name: string) =>
  on(i, `mkdir -p /etc/ployz && cat > ${KEY}`, [], await readFile(join(keys, `${name}.pub`), "utf8"));

/** Another build, made on m1 out of the one there, signed with a key or with none, and put in place without a look at the signature. */
const REPACK = `set -e
d=$(mktemp -d)
tar -xzf /usr/local/lib/ployz/current/payload.tar.gz -C "$d"
cd "$d/ployz"
rm -f SHA256SUMS.sig
echo "// $1" >> lib/ployzd.mjs
find . -type f ! -name SHA256SUMS ! -name version.json | sort | xargs sha256sum > SHA256SUMS
build=$(sha256sum SHA256SUMS | cut -d' ' -f1)
sed -i "s/\\"version\\": \\"[^\\"]*\\"/\\"version\\": \\"$1\\"/; s/\\"build\\": \\"[^\\"]*\\"/\\"build\\": \\"$build\\"/" version.json
[ -z "$2" ] || openssl pkeyutl -sign -inkey "$2" -rawin -in SHA256SUMS -out SHA256SUMS.sig
PLOYZ_RELEASE_KEY="$3" ./install.sh >&2
ployzctl daemon install >&2
rm -rf "$d"
echo "$build"`;

const release = async (version: string, signer: string, check = "") =>
  (await on(1, REPACK, [version, signer === "" ? "" : `/root/${signer}`, check])).stdout.trim();
const builds = (machines: readonly number[]) =>
  Promise.all(
    machines.map(
      async (i) => (await cluster.json<{ daemon: { build: string } }>(i, ["version"])).daemon.build,
    ),
  );
const installed = (i: number) => text(i, "ls /usr/local/lib/ployz");

beforeAll(async () => {
  keys = await mkdtemp(join(tmpdir(), "ployz-keys-"));
  for (const name of ["release", "other"]) {
    await run("openssl", ["genpkey", "-algorithm", "ed25519", "-out", join(keys, name)]);
    await run("openssl", ["pkey", "-in", join(keys, name), "-pubout", "-out", join(keys, `${name}.pub`)]);
  }
  process.env.PLOYZ_SIGN_KEY = join(keys, "release");
  try {
    cluster = await openCluster({ machines: 4, members: 0, installed: 1 });
  } finally {
    delete process.env.PLOYZ_SIGN_KEY;
  }
  for (const name of ["release", "other"])
    await on(1, 'cat > "/root/$1"', [name], await readFile(join(keys, name), "utf8"));
  await give(1, "release");
  await give(3, "other");
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await rm(keys, { recursive: true, force: true });
});

it("a whole build is installed by the key that signed it, and not by another", async () => {
  const unpacked =
    "d=$(mktemp -d) && tar -xzf /usr/local/lib/ployz/current/payload.tar.gz -C $d && cd $d/ployz";
  const other = await on(1, `${unpacked} && PLOYZ_RELEASE_KEY=$1 sh install.sh --prefix /opt/other`, [
    "/root/none.pub",
  ]);
  expect(other).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("is missing") });
  await on(1, "openssl pkey -in /root/other -pubout -out /root/other.pub");
  const wrong = await on(1, `${unpacked} && PLOYZ_RELEASE_KEY=$1 sh install.sh --prefix /opt/other`, [
    "/root/other.pub",
  ]);
  expect(wrong).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("was not signed") });
  expect(await text(1, "ls /opt")).not.toContain("other");
  await on(1, `${unpacked} && sh install.sh --prefix /opt/signed`);
  expect(await text(1, "ls /opt/signed/bin")).toBe("ployzctl\nployzd");
});

it("machine add brings the key, and leaves a machine alone whose key did not sign the build", async () => {
  await cluster.ctl(1, ["daemon", "install", "--runtime", "host"]);
  await cluster.ctl(1, ["mesh", "init", "prod-cluster"]);
  const refused = await cluster.json<Outcome>(1, ["machine", "add", "root@m3", ...SSH], { ok: [3] });
  expect(refused.machines[0]?.errors.map(({ code }) => code)).toEqual(["payload_unsigned"]);
  expect(await text(3, "ls /usr/local/bin /usr/local/lib")).not.toContain("ployz");
  await cluster.ctl(1, ["machine", "add", "root@m2", ...SSH], { timeoutMs: 180_000 });
  expect(`${await text(2, `cat ${KEY}`)}\n`).toBe(await readFile(join(keys, "release.pub"), "utf8"));
  [first = ""] = await builds([1]);
  expect(await builds([2])).toEqual([first]);
});

it("a join by token brings the key, and keeps one that is there", async () => {
  for (const i of [3, 4]) {
    await cluster.lab.sh(
      1,
      [
        "sh",
        "-c",
        `scp -q -o StrictHostKeyChecking=no /usr/local/lib/ployz/current/payload.tar.gz root@m${i}:/root/`,
      ],
      { timeoutMs: 60_000 },
    );
    await on(i, "cd /root && tar -xzf payload.tar.gz && PLOYZ_RELEASE_KEY= sh ployz/install.sh");
    await cluster.ctl(i, ["daemon", "install", "--runtime", "host"]);
    const { token } = await cluster.json<{ token: string }>(1, ["machine", "invite", "create"]);
    await cluster.ctl(i, ["mesh", "join", "--token-stdin"], { input: `${token}\n` });
  }
  expect(await text(4, `cat ${KEY}`)).toBe(await text(1, `cat ${KEY}`));
  expect(`${await text(3, `cat ${KEY}`)}\n`).toBe(await readFile(join(keys, "other.pub"), "utf8"));
});

it.each([
  ["without a signature", ""],
  ["signed with another key", "other"],
])("an update %s is refused in the plan, and nothing of it arrives", async (_what, signer) => {
  const build = await release("9.0.0", signer);
  const before = await installed(2);
  for (const more of [["-n"], []]) {
    const { machines } = await cluster.json<Outcome>(1, ["machine", "update", "m2", ...more], { ok: [3] });
    expect(machines[0]?.errors.map(({ code }) => code)).toEqual(["payload_unsigned"]);
  }
  expect(await installed(2)).toBe(before);
  expect(await builds([1, 2])).toEqual([build, first]);
});

it("an update that the key signed goes through, but not to a machine with another key", async () => {
  // m1 checks it too.
  const build = await release("9.1.0", "release", KEY);
  const { machines } = await cluster.json<Outcome>(1, ["machine", "update"], { ok: [3] });
  expect(machines.map(({ machine, errors }) => [machine, errors.map(({ code }) => code)])).toEqual([
    ["m1", []],
    ["m2", []],
    ["m3", ["payload_unsigned"]],
    ["m4", []],
  ]);
  expect(await builds([2, 3, 4])).toEqual([first, first, first]);
  await cluster.ctl(1, ["machine", "update", "m2", "m4"]);
  expect(await builds([1, 2, 3, 4])).toEqual([build, build, first, build]);
});

it("the key that a join brought goes when the machine leaves, and an own one stays", async () => {
  await cluster.ctl(1, ["machine", "rm", "m4", "--yes"], { timeoutMs: 180_000 });
  await cluster.ctl(1, ["machine", "rm", "m3", "--yes"], { timeoutMs: 180_000 });
  await expect.poll(() => text(4, `ls ${KEY} 2>&1 || true`), { timeout: 60_000 }).toContain("No such file");
  expect(await text(3, `ls ${KEY}`)).toBe(KEY);
});
