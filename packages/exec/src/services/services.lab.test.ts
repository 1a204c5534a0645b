import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openServiceHost, run, type ServiceHost, type ServiceSpec, stopS6, waitFor } from "../index.ts";

let dir: string;
let host: ServiceHost;

const sleeper: ServiceSpec = {
  name: "sleeper",
  description: "sleeps",
  argv: ["sh", "-c", 'printf "%s\\n" "$WORD"; exec sleep 300'],
  env: { WORD: 'it\'s $HOME; "quoted"' },
  restart: "always",
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-s6-"));
  host = await openServiceHost({ kind: "s6", dir: join(dir, "scan"), logDir: join(dir, "log") });
});

afterEach(async () => {
  await stopS6(join(dir, "scan"));
  await rm(dir, { recursive: true, force: true });
});

const pid = async (name = "sleeper") => (await host.status(name)).pid;

it("starts a service once, keeps it, and replaces it when its specification changes", async () => {
  expect(await host.ensure(sleeper)).toBe("started");
  const first = await pid();
  expect(await host.ensure(sleeper)).toBe("unchanged");
  expect(await pid()).toBe(first);
  expect(await host.ensure({ ...sleeper, argv: ["sleep", "301"] })).toBe("replaced");
  expect(await pid()).not.toBe(first);
});

it("repeats an order whose listener does not start, as on a busy host, and fails when none does", async () => {
  await host.ensure(sleeper);
  const first = await pid();
  const bin = join(dir, "bin");
  await mkdir(bin);
  const path = process.env.PATH ?? "";
  const failing = async (times: number) => {
    const script = `#!/bin/sh
echo >> ${bin}/asked
[ "$(wc -l < ${bin}/asked)" -gt ${times} ] || exit 111
PATH=${path} exec s6-svc "$@"
`;
    await writeFile(join(bin, "s6-svc"), script, { mode: 0o755 });
  };
  try {
    process.env.PATH = `${bin}:${path}`;
    await failing(1);
    await host.restart("sleeper");
    expect(await pid()).not.toBe(first);
    await failing(100);
    await expect(host.restart("sleeper")).rejects.toMatchObject({ exitCode: 111 });
  } finally {
    process.env.PATH = path;
  }
});

it("starts a killed service again, and gives the environment byte-exact", async () => {
  await host.ensure(sleeper);
  const first = await pid();
  await host.signal("sleeper", "SIGKILL");
  await waitFor(
    "another pid",
    async () => {
      const now = await pid();
      return now !== undefined && now !== first ? now : undefined;
    },
    { timeoutMs: 5_000 },
  );
  const log = await waitFor(
    "the log",
    async () => (await readFile(join(dir, "log/sleeper/current"), "utf8").catch(() => "")) || undefined,
    { timeoutMs: 5_000 },
  );
  expect(log).toContain(`it's $HOME; "quoted"`);
});

it("leaves a service that ended alone when it must not be restarted", async () => {
  await host.ensure({ name: "once", description: "ends", argv: ["true"], restart: "never" });
  await waitFor(
    "it to end",
    async () => ((await host.status("once")).state === "stopped" ? true : undefined),
    { timeoutMs: 5_000 },
  );
});

it("stops, starts and removes, each twice", async () => {
  await host.ensure(sleeper);
  await host.stop("sleeper");
  await host.stop("sleeper");
  expect(await host.status("sleeper")).toEqual({ state: "stopped" });
  expect(await host.ensure(sleeper)).toBe("started");
  await host.remove("sleeper");
  await host.remove("sleeper");
  expect(await host.status("sleeper")).toEqual({ state: "absent" });
  expect(await host.list()).toEqual([]);
});

it("services get no variable, search path or open file of the shell that starts the first one", async () => {
  const root = join(import.meta.dirname, "../..");
  await mkdir(join(root, "dist"), { recursive: true });
  const built = await mkdtemp(join(root, "dist/.services-"));
  try {
    await run(
      "node_modules/.bin/tsup",
      ["src/index.ts", "--no-config", "--silent", "--format", "esm", "--out-dir", built],
      {
        cwd: root,
        timeoutMs: 60_000,
      },
    );
    const options = JSON.stringify({ kind: "s6", dir: join(dir, "scan"), logDir: join(dir, "log") });
    const spec = JSON.stringify({
      ...sleeper,
      argv: ["sh", "-c", "env; ls -l /proc/$$/fd; echo all; exec sleep 300"],
    });
    const program = join(built, "start.mjs");
    await writeFile(
      program,
      `import { openServiceHost } from "./index.js";\nawait (await openServiceHost(${options})).ensure(${spec});\n`,
    );
    const shell = 'exec 251</etc/passwd; AWS_SECRET=x PLOYZ_REGION=eu PATH=/tmp/evil:$PATH exec "$0" "$@"';
    await run("bash", ["-c", shell, process.execPath, program], { timeoutMs: 60_000 });
    const log = await waitFor(
      "the log",
      async () => {
        const text = await readFile(join(dir, "log/sleeper/current"), "utf8").catch(() => "");
        return text.includes("all") ? text : undefined;
      },
      { timeoutMs: 10_000 },
    );
    expect(log).not.toMatch(/AWS_SECRET|evil|passwd/);
    expect(log).toMatch(/PATH=\/usr\/local\/sbin:.*:\/bin$/m);
    expect(log).toContain("PLOYZ_REGION=eu");
    expect(log).toContain("WORD=it's");
  } finally {
    await rm(built, { recursive: true });
  }
}, 90_000);
