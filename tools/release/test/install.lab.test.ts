import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExecError, run, spawnStream } from "@ployz/exec";
import { afterAll, beforeAll, expect, test } from "vitest";

const buildPayload = join(import.meta.dirname, "..", "build-payload");

let scratch: string;
let archive: string;
let payload: string;

const install = (args: readonly string[], from = payload) =>
  run("dash", [join(from, "install.sh"), ...args], { timeoutMs: 60_000 });

const refusal = async (args: readonly string[], from = payload): Promise<ExecError> => {
  const error = await install(args, from).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ExecError)) throw new Error(`install.sh ${args.join(" ")} was not refused`);
  return error;
};

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "ployz-release-"));
  archive = (await run(buildPayload, [], { timeoutMs: 120_000 })).stdout.trim();
  await run("tar", ["-xzf", archive, "-C", scratch]);
  payload = join(scratch, "ployz");
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

test("building again makes the same bytes", async () => {
  const before = await readFile(archive);
  const sums = async () => (await run("tar", ["-xzOf", archive, "ployz/SHA256SUMS"])).stdout.split("\n");
  const files = new Set(await sums());
  await run(buildPayload, ["--force"], { timeoutMs: 120_000 });
  expect((await sums()).filter((line) => !files.has(line)).join()).toBe("");
  expect((await readFile(archive)).equals(before)).toBe(true);
});

test("installs, answers through the link, keeps its archive, and changes nothing the second time", async () => {
  const prefix = join(scratch, "installed");
  await install(["--prefix", prefix, "--tarball", archive, "--operation", "op_1"]);

  const current = join(prefix, "lib/ployz/current");
  await run(join(prefix, "bin/ployzctl"), ["--version"]);
  // Node has an --env-file of its own.
  const variables = ["deploy", "-n", "-f", "/dev/null", "--env-file", join(scratch, "none.env")];
  const { stderr } = await run(join(prefix, "bin/ployzctl"), variables, { okExitCodes: [2] });
  expect(stderr).toContain("--env-file");
  const pages = join(prefix, "share/man/man1");
  expect(await readdir(pages)).toEqual(expect.arrayContaining(["ployzctl.1", "ployzctl-volume.1"]));
  expect(await readFile(join(pages, "ployzctl.1"), "utf8")).toContain("Orchestrate clusters");
  expect((await readFile(join(current, "payload.tar.gz"))).equals(await readFile(archive))).toBe(true);
  expect(await readFile(join(current, ".operation"), "utf8")).toBe("op_1\n");

  await install(["--prefix", prefix, "--tarball", archive, "--operation", "op_2"]);
  expect(await readFile(join(current, ".operation"), "utf8")).toBe("op_1\n");
  expect((await readdir(join(prefix, "lib/ployz"))).sort()).toEqual(
    [await readlink(current), "current"].sort(),
  );
});

test("an installation without its archive packs one that holds the same build", async () => {
  const prefix = join(scratch, "repacked");
  await install(["--prefix", prefix]);
  const { stdout } = await run("tar", [
    "-xzOf",
    join(prefix, "lib/ployz/current/payload.tar.gz"),
    "ployz/version.json",
  ]);
  expect(stdout).toBe(await readFile(join(payload, "version.json"), "utf8"));
});

test("a staged payload lies beside the installed one, and no link leads to it", async () => {
  const prefix = join(scratch, "staged");
  await install(["--prefix", prefix, "--stage", "--tarball", archive]);
  const [build = ""] = await readdir(join(prefix, "lib/ployz"));
  expect(build).toMatch(/^[0-9a-f]{12}$/);
  expect(await readdir(join(prefix, "bin"))).toEqual([]);
  await install(["--prefix", prefix]);
  expect(await readlink(join(prefix, "lib/ployz/current"))).toBe(build);
});

test("refuses another architecture, a damaged payload and wrong arguments, and leaves nothing", async () => {
  const foreign = join(scratch, "foreign");
  await run("cp", ["-a", payload, foreign]);
  const version = await readFile(join(payload, "version.json"), "utf8");
  await writeFile(join(foreign, "version.json"), version.replace(/"arch": "\w+"/, '"arch": "riscv64"'));
  const damaged = join(scratch, "damaged");
  await run("cp", ["-a", payload, damaged]);
  await writeFile(join(damaged, "lib/ployzd.mjs"), "cut off");

  const prefix = join(scratch, "refused");
  expect(await refusal(["--prefix", prefix], foreign)).toMatchObject({ exitCode: 3 });
  const error = await refusal(["--prefix", prefix], damaged);
  expect(error.exitCode).toBe(3);
  expect(error.stderr).toContain("damaged or incomplete");
  expect(await refusal(["--prefix", prefix, "--tarball", "/nonexistent"])).toMatchObject({ exitCode: 3 });
  expect(await refusal(["--prefix", "relative"])).toMatchObject({ exitCode: 2 });
  expect(await refusal(["--prefix", prefix, "--operation", "a/b"])).toMatchObject({ exitCode: 2 });
  await expect(readdir(prefix)).rejects.toThrow("ENOENT");
});

test("with a release key it installs what that key signed, and nothing else", async () => {
  const keys = ["release", "other"].map((name) => join(scratch, name));
  for (const key of keys) {
    await run("openssl", ["genpkey", "-algorithm", "ed25519", "-out", key]);
    await run("openssl", ["pkey", "-in", key, "-pubout", "-out", `${key}.pub`]);
  }
  const small = join(scratch, "small-payload");
  await run("mkdir", ["-p", join(small, "bin")]);
  await run("cp", [join(payload, "install.sh"), small]);
  await run("sh", [
    "-c",
    'cd "$1" && find . -type f | sort | xargs sha256sum > ../sums && mv ../sums SHA256SUMS',
    "sh",
    small,
  ]);
  const { arch } = JSON.parse(await readFile(join(payload, "version.json"), "utf8")) as {
    readonly arch: string;
  };
  const build = (await run("sha256sum", [join(small, "SHA256SUMS")])).stdout.slice(0, 64);
  await writeFile(join(small, "version.json"), JSON.stringify({ version: "9.9.9", build, arch }, null, 1));
  const prefix = join(scratch, "signed");
  const under = (key: string) =>
    run("dash", [join(small, "install.sh"), "--stage", "--prefix", prefix], {
      env: { PLOYZ_RELEASE_KEY: key },
      okExitCodes: [0, 3],
    });
  const sign = (key: string) =>
    run("openssl", [
      ...["pkeyutl", "-sign", "-inkey", key, "-rawin"],
      ...["-in", join(small, "SHA256SUMS"), "-out", join(small, "SHA256SUMS.sig")],
    ]);
  const [release = "", other = ""] = keys;
  expect(await under(`${release}.pub`)).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining("no signature"),
  });
  await sign(other);
  expect(await under(`${release}.pub`)).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining("was not signed"),
  });
  expect(await under("/nonexistent.pub")).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining("is missing"),
  });
  await expect(readdir(prefix)).rejects.toThrow("ENOENT");
  await sign(release);
  expect(await under(`${release}.pub`)).toMatchObject({ exitCode: 0 });
  expect(await readdir(join(prefix, "lib/ployz"))).toEqual([build.slice(0, 12)]);
});

test("refuses a disk that is too small before it writes", async () => {
  const small = join(scratch, "small");
  await run("mkdir", [small]);
  await run("mount", ["-t", "tmpfs", "-o", "size=60m", "ployz-test", small]);
  try {
    const error = await refusal(["--prefix", small]);
    expect(error.exitCode).toBe(3);
    expect(error.stderr).toMatch(/has \d+ MiB free and the installation needs \d+ MiB/);
    expect(await readdir(small)).toEqual([]);
  } finally {
    await run("umount", [small]);
  }
});

test("removes what it installed, but not under a running program", async () => {
  const prefix = join(scratch, "removed");
  await install(["--prefix", prefix]);
  const running = spawnStream(join(prefix, "lib/ployz/current/lib/node"), ["-e", "process.stdin.resume()"]);
  try {
    const error = await refusal(["--remove", "--prefix", prefix]);
    expect(error.exitCode).toBe(3);
    expect(error.stderr).toContain(`process ${running.pid} runs from`);
  } finally {
    running.stdin.end();
    await running.done;
  }
  await install(["--remove", "--prefix", prefix]);
  await install(["--remove", "--prefix", prefix]);
  expect(await readdir(join(prefix, "bin"))).toEqual([]);
  expect(await readdir(join(prefix, "lib"))).toEqual([]);
  expect(await readdir(join(prefix, "share/man"))).toEqual([]);
});

test("what every start of ployzctl loads names no path of Linux that it cannot do without", async () => {
  const lib = join(payload, "lib");
  const read = (name: string) => readFile(join(lib, name), "utf8");
  const main = await read("ployzctl.mjs");
  const parts = [...main.matchAll(/"\.\/([^"]+\.mjs)"/g)].map(([, name = ""]) => read(name));
  const text = [main, await read("completed.mjs"), await read("cli.mjs"), ...(await Promise.all(parts))].join(
    "\n",
  );
  const paths = [...text.matchAll(/["`'](\/(?:proc|sys|run|dev|etc|var)\/[^"`']*)/g)].map(([, path]) => path);
  expect([...new Set(paths)].sort()).toEqual([
    "/dev/tty", // macOS has it
    "/etc/passwd", // and it
    "/etc/ployz/config.toml", // a missing file is an empty one
    "/proc/self/loginuid", // else USER
    "/run/ployz/ployzd.sock", // refused before it is opened: linux_only
    "/var/lib/ployz",
  ]);
});

test("ployzctl opens few files for a completion", async () => {
  const lib = join(payload, "lib");
  const list = [
    'import { registerHooks } from "node:module";',
    'registerHooks({ load: (url, context, next) => (url.startsWith("file:") && console.error(url), next(url, context)) });',
  ].join("");
  const { stderr } = await run(join(lib, "node"), [
    ...["--import", `data:text/javascript,${encodeURIComponent(list)}`],
    ...[join(lib, "ployzctl.mjs"), "__complete", "deploy", "--n"],
  ]);
  const files = stderr.trim().split("\n");
  expect(files.filter((url) => url.endsWith("/completed.mjs"))).toHaveLength(1);
  expect(files.length).toBeLessThan(7);
});

test("ployzctl loads nothing for a completion or its version that is slow to load", async () => {
  const lib = join(payload, "lib");
  const list = 'data:text/javascript,process.on("exit",()=>console.error(process.moduleLoadList.join()))';
  for (const args of [["--version"], ["__complete", "deploy", "--n"], ["--help"]]) {
    const { stderr } = await run(join(lib, "node"), ["--import", list, join(lib, "ployzctl.mjs"), ...args]);
    expect([args, stderr.match(/undici\/undici|NativeModule (child_process|tls|https)\b/g)]).toEqual([
      args,
      null,
    ]);
    expect(stderr).toContain("NativeModule fs");
  }
});
