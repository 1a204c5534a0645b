import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openServiceHost, type ServiceHost, type ServiceSpec, stopS6, waitFor } from "../index.ts";

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
