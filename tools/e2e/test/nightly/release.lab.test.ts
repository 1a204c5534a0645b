import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { type Lab, openLab } from "@ployz/lab";
import { afterAll, beforeAll, expect, it } from "vitest";

/** A whole signed release: the same bytes twice, and installed on a bare Debian server and under Node 20 and 24. */
const repository = join(import.meta.dirname, "../../../..");
const buildRelease = join(repository, "tools/release/build-release");
const system = `linux-${process.arch === "arm64" ? "arm64" : "x64"}`;
const { version } = JSON.parse(await readFile(join(repository, "tools/release/package.json"), "utf8")) as {
  readonly version: string;
};

let scratch: string;
let release: string;
let lab: Lab;

const build = async (out: string, env: Readonly<Record<string, string>> = {}) => {
  const variables = { ...process.env, PLOYZ_SIGN_KEY: join(scratch, "key"), ...env };
  await run(buildRelease, ["--out", out], { env: variables, timeoutMs: 1_200_000 });
};

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "ployz-release-"));
  release = join(scratch, "release");
  await run("openssl", ["genpkey", "-algorithm", "ed25519", "-out", join(scratch, "key")]);
  await build(release);
  lab = await openLab({ machines: 1, bare: true });
  const names = [
    ...[
      "install.sh",
      "SHA256SUMS",
      "SHA256SUMS.sig",
      "SHA256SUMS.sshsig",
      `ployzctl-${version}-${system}.tar.gz`,
    ],
    ...[
      `ployz-payload-${system}.tar.gz`,
      `ployzctl_${version}_${system.endsWith("x64") ? "amd64" : "arm64"}.deb`,
    ],
  ];
  await sh("mkdir -p /srv/releases/latest/download");
  for (const name of names)
    await lab.sh(1, ["sh", "-c", 'cat >"/srv/releases/latest/download/$1"', "sh", name], {
      input: await readFile(join(release, name)),
      timeoutMs: 120_000,
    });
  await sh("tar -xzf /srv/releases/latest/download/ployzctl-*.tar.gz -C /srv");
  const serve =
    'const fs=require("fs");require("http").createServer((q,s)=>{const f="/srv"+q.url;if(!fs.existsSync(f))return s.writeHead(404).end();s.writeHead(200,{"content-length":fs.statSync(f).size});fs.createReadStream(f).pipe(s)}).listen(8099,"127.0.0.1",()=>console.log("ready"))';
  await lab.sh(1, [
    "sh",
    "-c",
    '/srv/ployzctl/lib/node -e "$1" >/srv/log 2>&1 & until grep -q ready /srv/log; do sleep 0.1; done',
    "sh",
    serve,
  ]);
}, 1_800_000);

afterAll(async () => {
  await lab?.down();
  await rm(scratch, { recursive: true, force: true });
});

const sh = async (script: string, ok: readonly number[] = [0]) =>
  lab.sh(1, ["sh", "-c", script], { okExitCodes: [...ok], timeoutMs: 300_000 });
const URL = "http://127.0.0.1:8099/releases";
const install = (args = "", ok: readonly number[] = [0]) =>
  sh(`curl -fsSL ${URL}/latest/download/install.sh | sh -s -- --url ${URL} ${args}`, ok);

it("is the same bytes twice, also in another folder, time zone, language and umask", async () => {
  const again = join(scratch, "again");
  await rm(join(repository, "tools/release/dist"), { recursive: true, force: true });
  const env = {
    PLOYZ_SIGN_KEY: join(scratch, "key"),
    TZ: "Asia/Tokyo",
    LANG: "tr_TR.UTF-8",
    NODE_ENV: "test",
  };
  await run("sh", ["-c", 'umask 077; exec "$0" --out "$1"', buildRelease, again], {
    env: { ...process.env, ...env },
    timeoutMs: 1_200_000,
  });
  expect((await readdir(again)).sort()).toEqual((await readdir(release)).sort());
  for (const name of ["SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.sshsig"])
    expect(await readFile(join(again, name))).toEqual(await readFile(join(release, name)));
});

it("has the right program for each system", async () => {
  /** The beginning of a program for each system: ELF or Mach-O, and the kind of processor. */
  const kinds: Readonly<Record<string, readonly [number, string]>> = {
    "linux-x64": [18, "3e00"],
    "linux-arm64": [18, "b700"],
    "darwin-x64": [0, "cffaedfe07000001"],
    "darwin-arm64": [0, "cffaedfe0c000001"],
  };
  for (const [name, [at, bytes]] of Object.entries(kinds)) {
    const script = `tar -xzOf "$1" ployzctl/lib/node | head -c ${at + bytes.length / 2} | tail -c ${bytes.length / 2} | od -An -tx1 | tr -d ' \\n'`;
    const archive = join(release, `ployzctl-${version}-${name}.tar.gz`);
    expect([name, (await run("sh", ["-c", script, "sh", archive])).stdout]).toEqual([name, bytes]);
  }
});

it("is installed on a bare server, and removed", async () => {
  await install();
  expect((await sh("ployzctl --version")).stdout).toBe(`${version}\n`);
  expect((await sh("ployzctl __complete dep")).stdout).toContain("deploy\t");
  expect((await sh(`curl -s ${URL}/x; ployzctl ps`, [4])).stderr).toContain("ployzctl daemon install");
  expect((await install()).stderr).toContain("is installed already");
  await install("--uninstall");
  expect((await sh("find /usr/local -name '*ployz*'")).stdout).toBe("");
});

it("is installed by a user, and refused for a machine, below a read-only prefix, and for a full disk", async () => {
  await sh("id dev || useradd -m dev");
  const asDev = (args: string, ok: readonly number[] = [0]) =>
    sh(`su dev -c 'curl -fsSL ${URL}/latest/download/install.sh | sh -s -- --url ${URL} ${args}'`, ok);
  await asDev("");
  expect((await sh("su dev -c '~/.local/bin/ployzctl --version'")).stdout).toBe(`${version}\n`);
  expect((await sh("stat -c %U ~dev/.local/lib/ployz/current/")).stdout).toBe("dev\n");
  expect((await asDev("--machine", [3])).stderr).toContain("run as root");
  expect((await asDev("--prefix /usr/local", [3])).stderr).toContain("is not writable");
  await sh("mkdir -p /srv/ro && mount -t tmpfs -o ro none /srv/ro");
  expect((await install("--prefix /srv/ro", [3])).stderr).toContain("/srv/ro is not writable");
  await sh("umount /srv/ro && mount -t tmpfs -o size=20m none /srv/ro");
  await install("--prefix /srv/ro", [1, 2]);
  expect((await sh("ls -A /srv/ro; ls -d /tmp/ployz-install.* 2>/dev/null; umount /srv/ro")).stdout).toBe("");
  await asDev("--uninstall");
  expect((await sh("find ~dev -name '*ployz*'")).stdout).toBe("");
});

it("an installation that is killed leaves nothing that the next one does not remove", async () => {
  await sh(
    `curl -fsSL ${URL}/latest/download/install.sh >/srv/i.sh; sh /srv/i.sh --url ${URL} & until ls -d /usr/local/lib/ployz/.incoming-* 2>/dev/null; do :; done; kill -9 $!; wait $! || :`,
  );
  expect((await sh("ls /usr/local/bin/ployzctl", [2])).stdout).toBe("");
  await install();
  expect((await sh("ls -A /usr/local/lib/ployz | wc -l")).stdout).toBe("2\n");
  await install("--uninstall");
});

it("installs a machine, of which ployzctl is part", async () => {
  await install();
  await install("--machine");
  expect(
    (await sh("ployzctl --version; readlink -f /usr/local/bin/ployzd | grep -c /lib/ployz/")).stdout,
  ).toBe(`${version}\n1\n`);
  expect((await install("", [3])).stderr).toContain("ployzctl is part of it");
  await install("--uninstall");
  expect((await sh("find /usr/local -name '*ployz*'")).stdout).toBe("");
});

it("is installed by dpkg, and removed", async () => {
  await sh("dpkg -i /srv/releases/latest/download/ployzctl_*.deb");
  expect((await sh("cd /; ployzctl --version; ployzctl deploy --help | head -1")).stdout).toBe(
    `${version}\nDeploy a manifest.\n`,
  );
  await sh("dpkg -r ployzctl");
  expect(
    (await sh("find /usr/lib /usr/bin /usr/share -name '*ployzctl*'; ls -d /usr/lib/ployz 2>/dev/null || :"))
      .stdout,
  ).toBe("");
});

it.each(["node", join(repository, ".cache/node/bin/node")])("the npm package runs on %s", async (node) => {
  const prefix = await mkdtemp(join(scratch, "npm-"));
  const args = [
    "install",
    "--global",
    "--offline",
    "--silent",
    "--prefix",
    prefix,
    join(release, `ployzctl-${version}.tgz`),
  ];
  await run("npm", args, { timeoutMs: 120_000 });
  const path = node.includes("/") ? `${join(node, "..")}:${process.env.PATH}` : process.env.PATH;
  const ctl = (...words: readonly string[]) =>
    run(join(prefix, "bin/ployzctl"), words, {
      env: { ...process.env, PATH: path ?? "" },
      okExitCodes: [0, 2],
    });
  expect((await ctl("--version")).stdout).toBe(`${version}\n`);
  expect((await ctl("deploy", "-n", "-f", "/dev/null", "--env-file", "/nonexistent.env")).stderr).toContain(
    "--env-file",
  );
});
