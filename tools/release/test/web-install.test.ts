import { createHash, generateKeyPairSync } from "node:crypto";
import {
  access,
  chmod,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, run } from "@ployz/exec";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

const release = join(import.meta.dirname, "..");
const arch = process.arch === "arm64" ? "arm64" : "x64";

let scratch: string;
let home: string;
let server: Server;
let url: string;
/** What the server has, by path. */
const published = new Map<string, Buffer>();
/** Bytes of an answer after which the connection breaks; its length was announced as whole. */
let broken: { readonly path: string; readonly after: number } | undefined;
let asked: string[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "ployz web-install "));
  server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const body = published.get(path);
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-length": body.length });
    if (broken?.path !== path) response.end(body);
    else response.write(body.subarray(0, broken.after), () => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const name of ["release", "other"]) {
    const { privateKey } = generateKeyPairSync("ed25519");
    await writeFile(join(scratch, name), privateKey.export({ type: "pkcs8", format: "pem" }));
  }
  await publish("1.0.0");
  await publish("1.1.0");
});

afterAll(async () => {
  server.close();
  await rm(scratch, { recursive: true, force: true });
});

beforeEach(async () => {
  broken = undefined;
  asked = [];
  home = await mkdtemp(join(scratch, "home "));
});

afterEach(async () => {
  expect((await readdir(tmpdir())).filter((name) => name.startsWith("ployz-install."))).toEqual([]);
});

/** A release whose ployzctl only prints its version. */
async function publish(version: string, key = "release"): Promise<void> {
  const folder = await mkdtemp(join(scratch, "build-"));
  const [bin, man] = [join(folder, "ployzctl/bin"), join(folder, "ployzctl/share/man/man1")];
  await mkdir(bin, { recursive: true });
  await mkdir(man, { recursive: true });
  await writeFile(join(bin, "ployzctl"), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
  await writeFile(join(man, "ployzctl.1"), version);
  if (version === "1.0.0") await writeFile(join(man, "ployzctl-old.1"), version);
  const names = ["linux", "darwin"].map((system) => `ployzctl-${version}-${system}-${arch}.tar.gz`);
  const [name = "", other = ""] = names;
  await run("tar", ["-czf", name, "ployzctl"], { cwd: folder });
  await cp(join(folder, name), join(folder, other));
  const sums = await Promise.all(
    names.map(
      async (file) =>
        `${createHash("sha256")
          .update(await readFile(join(folder, file)))
          .digest("hex")}  ${file}\n`,
    ),
  );
  await writeFile(join(folder, "SHA256SUMS"), sums.join(""));
  await run("node", [join(release, "sign.mjs"), "sign", join(scratch, key), join(folder, "SHA256SUMS")]);
  for (const file of [...names, "SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.sshsig"])
    for (const place of ["latest/download", `download/v${version}`])
      published.set(`/${place}/${file}`, await readFile(join(folder, file)));
}

/** install.sh as `build-release` makes it. */
async function installer(): Promise<string> {
  const { stdout } = await run("node", [join(release, "sign.mjs"), "keys", join(scratch, "release")]);
  const [key = "", sshKey = ""] = stdout.split("\n");
  const script = await readFile(join(release, "web-install.sh"), "utf8");
  return script.replace("@URL@", url).replace("@KEY@", key).replace("@SSH_KEY@", sshKey);
}

interface Machine {
  /** Programs that it does not have. */
  readonly without?: readonly string[];
  /** Programs that print something else, by name. */
  readonly fakes?: Readonly<Record<string, string>>;
}

const PROGRAMS =
  "id uname curl wget tar gzip sha256sum shasum openssl ssh-keygen sed cut tr mktemp rm mkdir rmdir mv ln readlink dirname cat chown dash ldd dpkg grep".split(
    " ",
  );

/** Runs it with the script on stdin, as `curl | sh` does. */
async function install(args: readonly string[], { without = [], fakes = {} }: Machine = {}, script?: string) {
  const bin = await mkdtemp(join(scratch, "bin-"));
  for (const program of PROGRAMS) {
    const found = without.includes(program) || program in fakes ? undefined : await findProgram(program);
    if (found !== undefined) await symlink(found, join(bin, program));
  }
  for (const [program, text] of Object.entries(fakes)) {
    await writeFile(join(bin, program), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, program), 0o755);
  }
  return run(join(bin, "dash"), ["-s", "--", ...args], {
    input: script ?? (await installer()),
    env: { PATH: bin, HOME: home, TMPDIR: tmpdir() },
    okExitCodes: [0, 1, 2, 3],
    timeoutMs: 20_000,
  });
}

const prefix = () => join(home, "a prefix");
const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
const version = async () => (await run(join(prefix(), "bin/ployzctl"), [])).stdout.trim();

test("installs the latest version, changes nothing the second time, and upgrades", async () => {
  expect(await install(["--prefix", prefix(), "--version", "v1.0.0"])).toMatchObject({ exitCode: 0 });
  expect(await version()).toBe("1.0.0");
  expect(await readlink(join(prefix(), "bin/ployzctl"))).toBe("../lib/ployz/current/bin/ployzctl");
  expect(await readFile(join(prefix(), "share/man/man1/ployzctl-old.1"), "utf8")).toBe("1.0.0");

  expect(await install(["--prefix", prefix()])).toMatchObject({ exitCode: 0 });
  expect(await version()).toBe("1.1.0");
  expect(await readdir(join(prefix(), "share/man/man1"))).toEqual(["ployzctl.1"]);
  expect(await readdir(join(prefix(), "lib/ployz"))).toHaveLength(3); // this one, the one before, the link

  asked = [];
  const again = await install(["--prefix", prefix()]);
  expect(again.stderr).toContain("1.1.0 is installed already");
  expect(asked.filter((path) => path.endsWith(".tar.gz"))).toEqual([]);
});

test("--uninstall removes all that it installed, and nothing else", async () => {
  await mkdir(join(prefix(), "bin"), { recursive: true });
  await writeFile(join(prefix(), "bin/other"), "");
  await install(["--prefix", prefix()]);
  expect(await install(["--uninstall", "--prefix", prefix()])).toMatchObject({ exitCode: 0 });
  expect(await readdir(join(prefix(), "bin"))).toEqual(["other"]);
  expect(await readdir(join(prefix(), "lib"))).toEqual([]);
  expect(await isThere(join(prefix(), "share/man/man1"))).toBe(false);
  expect(await install(["--uninstall", "--prefix", prefix()])).toMatchObject({ exitCode: 0 });
});

test("without root it installs below ~/.local and names the PATH; --machine is refused", async () => {
  const user = { fakes: { id: "echo 1000" } };
  const { exitCode, stderr } = await install([], user);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining("is not in PATH") });
  expect((await lstat(join(home, ".local/bin/ployzctl"))).isSymbolicLink()).toBe(true);
  const machine = await install(["--machine"], user);
  expect(machine).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("run as root") });
});

/** Nothing of it is below the prefix, whatever went wrong. */
async function expectRefused(code: number, message: string, machine?: Machine, script?: string) {
  const { exitCode, stderr } = await install(["--prefix", prefix()], machine, script);
  expect({ exitCode, stderr }).toEqual({ exitCode: code, stderr: expect.stringContaining(message) });
  expect(await isThere(prefix())).toBe(false);
}

const at = (file: string) => `/latest/download/${file}`;
const archive = `ployzctl-1.1.0-linux-${arch}.tar.gz`;

/** Publishes other bytes of a file for one test. */
async function withFile(file: string, body: Buffer | undefined, work: () => Promise<void>): Promise<void> {
  const before = published.get(at(file));
  if (before === undefined) throw new Error(`${file} is not published`);
  if (body === undefined) published.delete(at(file));
  else published.set(at(file), body);
  try {
    await work();
  } finally {
    published.set(at(file), before);
  }
}

test("a list that another key signed, a changed list and a missing signature install nothing", async () => {
  const good = new Map(published);
  await publish("1.1.0", "other");
  await expectRefused(1, "was not signed by the release key");
  await expectRefused(1, "was not signed by the release key", { without: ["openssl"] });
  for (const [path, body] of good) published.set(path, body);
  const sums = good.get(at("SHA256SUMS")) ?? Buffer.of();
  await withFile("SHA256SUMS", Buffer.concat([sums, Buffer.from("\n")]), async () => {
    await expectRefused(1, "was not signed by the release key");
    await expectRefused(1, "was not signed by the release key", { without: ["openssl"] });
  });
  await withFile("SHA256SUMS.sig", undefined, () => expectRefused(1, "could not be downloaded"));
});

test("an archive that differs, is short, or breaks off installs nothing", async () => {
  const whole = published.get(at(archive)) ?? Buffer.of();
  await withFile(archive, Buffer.concat([whole, Buffer.of(0)]), () =>
    expectRefused(1, "is not what the signed"),
  );
  await withFile(archive, whole.subarray(0, -9), () => expectRefused(1, "is not what the signed"));
  for (const without of [["wget"], ["curl"]]) {
    broken = { path: at(archive), after: 40 };
    await expectRefused(1, without[0] === "wget" ? "could not be downloaded" : "install.sh: ", { without });
  }
});

test("a version other than the wanted one is refused, though it is signed", async () => {
  const paths = [...published.keys()].filter((path) => path.startsWith("/download/v1.1.0/"));
  for (const path of paths) {
    const old = published.get(path.replaceAll("1.1.0", "1.0.0"));
    if (old !== undefined) published.set(path.replace("1.1.0", "9.9.9"), old);
  }
  const { exitCode, stderr } = await install(["--prefix", prefix(), "--version", "9.9.9"]);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: expect.stringContaining("is 1.0.0, not 9.9.9"),
  });
});

test("wget does instead of curl, and ssh-keygen instead of openssl 3", async () => {
  expect(await install(["--prefix", prefix()], { without: ["curl"] })).toMatchObject({ exitCode: 0 });
  await rm(prefix(), { recursive: true });
  expect(await install(["--prefix", prefix()], { without: ["openssl"] })).toMatchObject({ exitCode: 0 });
  await rm(prefix(), { recursive: true });
  const libre = { fakes: { openssl: "echo LibreSSL" } };
  expect(await install(["--prefix", prefix()], libre)).toMatchObject({ exitCode: 0 });
});

test("names the missing program, before it downloads anything", async () => {
  await expectRefused(3, "curl or wget is needed", { without: ["curl", "wget"] });
  await expectRefused(3, "openssl 3 or ssh-keygen", { without: ["openssl", "ssh-keygen"] });
  await expectRefused(3, "no release for FreeBSD", { fakes: { uname: "echo FreeBSD" } });
  await expectRefused(
    3,
    "made without a key",
    {},
    (await installer()).replace(/^(SSH_)?KEY=.*$/gm, "$1KEY=''"),
  );
  await mkdir(join(prefix(), "bin"), { recursive: true });
  await writeFile(join(prefix(), "bin/ployzctl"), "of another package");
  expect(await install(["--prefix", prefix()])).toMatchObject({ exitCode: 3 });
  expect(await readFile(join(prefix(), "bin/ployzctl"), "utf8")).toBe("of another package");
  expect(asked).toEqual([]);
});

test("a script that was cut off on its way does nothing", async () => {
  const script = await installer();
  expect(script.endsWith('\nmain "$@"\n')).toBe(true);
  for (const part of [0.3, 0.6, 0.99]) {
    const cut = script.slice(0, Math.floor((script.length - 12) * part));
    await install(["--prefix", prefix()], {}, cut);
    expect(await isThere(prefix())).toBe(false);
  }
});

test.each([
  [["--prefix", "relative"], "absolute path"],
  [["--version", "../1"], "not a version"],
  [["--prefix"], "needs a value"],
  [["--frobnicate"], "unknown argument"],
])("%j is a wrong use", async (args, message) => {
  expect(await install(args)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(message) });
});
