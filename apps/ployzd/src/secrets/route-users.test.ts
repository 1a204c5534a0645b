import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Commit, SecretRecord, SecretRef } from "@ployz/primitives/protocol";
import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { openRouteUsers } from "../follower/route-users.ts";
import { serveApplied, trackApplied } from "../host/follower-socket.ts";
import { openUserFiles } from "../state/route-users.ts";
import { createWaiters } from "../waiters.ts";
import { keepRouteUsers } from "./route-users.ts";

const SHA = `$6$saltsalt$${"a".repeat(86)}`;
const commit = (namespace: string, more: object = {}) =>
  ({
    namespace,
    ...{ services: {}, jobs: {}, instances: [], volumes: [] },
    routes: [
      {
        ...{ kind: "http", host: "a.test", path: "/", service: "web", port: "http" },
        options: { basicAuth: { secret: "team" } },
      },
    ],
    ...more,
  }) as unknown as Commit;
const secret = (version: string): SecretRecord => ({
  ...{ namespace: "prod", name: "team", version, at: "", by: "" },
});

test("the users of routes come to each machine's disk and gateway, follow the secret, and go with the routes", async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-users-"));
  const stop = new AbortController();
  onTestFinished(async () => {
    stop.abort();
    await rm(dir, { recursive: true, force: true });
  });
  const state = {
    commits: [commit("prod"), commit("pr-1", { branchedFrom: "prod" })],
    secrets: [] as SecretRecord[],
  };
  const texts: Record<string, string> = { v1: `ann:${SHA}`, v2: `bob:${SHA}` };
  const listeners = new Set<() => void>();
  const change = (next: Partial<typeof state>) => {
    Object.assign(state, next);
    for (const listen of listeners) listen();
  };
  const mirror = {
    heads: () => state.commits.map((value, revision) => ({ key: "", revision, value })),
    facts: () => state.secrets.map((value, revision) => ({ key: "", revision, value })),
    onChange: (listen: (change: { type: string }) => void) => {
      const one = () => listen({ type: "commit" });
      listeners.add(one);
      return () => listeners.delete(one);
    },
  };
  const files = openUserFiles(join(dir, "users"));
  const users = openRouteUsers(files, () => {});
  const told = createWaiters();
  const close = await serveApplied(join(dir, "gateway.sock"), trackApplied(), {
    status: () => ({}),
    certify: async () => {},
    async users() {
      await users.read();
      told.look();
    },
  });
  onTestFinished(close);
  const ended = keepRouteUsers({
    mirror: mirror as never,
    secrets: { read: async (refs: readonly SecretRef[]) => refs.map(({ version }) => texts[version] ?? "") },
    paths: { routeUsers: join(dir, "users"), gatewaySocket: join(dir, "gateway.sock") },
    log: pino({ level: "silent" }),
    signal: stop.signal,
  });
  const until = (holds: () => boolean) => told.until(holds, AbortSignal.timeout(5_000));
  const names = (namespace: string) =>
    users
      .of(namespace, "team")
      .map(({ name }) => name)
      .join();

  expect(names("prod")).toBe("");
  change({ secrets: [secret("v1")] });
  await until(() => names("prod") === "ann" && names("pr-1") === "ann");
  for (const file of await readdir(join(dir, "users")))
    expect((await stat(join(dir, "users", file))).mode & 0o777).toBe(0o600);
  await users.until([{ revision: 1, commit: commit("prod") }]);
  change({ secrets: [secret("v2")] });
  await until(() => names("prod") === "bob" && names("pr-1") === "bob");
  change({ commits: [commit("prod"), commit("pr-1", { routes: [] })] });
  await until(() => names("pr-1") === "");
  change({ secrets: [], commits: [commit("prod")] });
  change({ secrets: [secret("v1")] });
  await until(() => names("prod") === "ann");
  stop.abort();
  await ended;
});
