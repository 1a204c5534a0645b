import { parseManifest } from "@ployz/primitives";
import type { Commit } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { branchDocument, commitDocument, commitHistory, manifestDocument } from "./commits.ts";

const OPERATIONS = ["01M849JKMJKJNHP441C7VF0Z2Q", "01M849JKMJKJNHP441C7VF0Z3R", "01N849JKMJKJNHP441C7VF0Z4S"];

const spec = (over: object = {}) => ({
  ...{ image: { ref: "app:v1", digest: "sha256:1" }, env: { PASSWORD: "secret" }, ports: { http: 80 } },
  ...{ placement: { kind: "replicas", count: 1 }, drainMs: 10_000, stopGraceMs: 10_000, after: [] },
  ...{ update: "start-first", volumes: {}, routes: [] },
  ...over,
});
const commit = (operation: string | undefined, over: object = {}) =>
  ({
    ...{ v: 1, namespace: "prod", operation, primitive: "deploy", at: "2026-01-01T00:00:00Z", by: "me@here" },
    ...{ services: {}, jobs: {}, instances: [], volumes: [], routes: [] },
    ...over,
  }) as unknown as Commit;
const volume = (over: object = {}) => ({
  ...{ name: "pgdata", id: "prod.pgdata.x", machine: "m1", guid: "1", spec: { scope: "single" } },
  ...over,
});
const route = { kind: "http", host: "a.test", path: "/", port: "http" };

let commits: ReturnType<typeof createMemoryStore>["commits"];
let revisions: number[];
beforeEach(async () => {
  ({ commits } = createMemoryStore({ clock: createVirtualClock() }));
  revisions = [];
  const web = { revision: "r1", spec: spec({ routes: [route] }) };
  const db = { revision: "r1", spec: spec({ volumes: { pgdata: "/data" }, update: "stop-first" }) };
  for (const next of [
    commit(OPERATIONS[0], { services: { web, old: web }, routes: [{ ...route, service: "web" }] }),
    commit(OPERATIONS[1], { services: { web: { ...web, revision: "r2" }, db }, volumes: [volume()] }),
    commit(OPERATIONS[2], {
      services: { web: { ...web, revision: "r2" }, db },
      volumes: [volume({ machine: "m2" })],
      primitive: "migrate",
    }),
  ]) {
    const appended = await commits.append(next as never, revisions.at(-1) ?? 0);
    if (!appended.committed) throw new Error("not appended");
    revisions.push(appended.revision);
  }
});
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error: { code: string }) => error.code,
  );

describe("history", () => {
  it("says what each commit changed against the one before it, newest first", async () => {
    const { commits: rows } = await commitHistory(commits, "prod", 10);
    expect(rows.map(({ revision }) => revision)).toEqual([...revisions].reverse());
    expect(rows[0]).toMatchObject({ primitive: "migrate", operation: OPERATIONS[2] });
    expect(rows.map(({ changes }) => changes.services)).toEqual([
      { added: [], changed: [], removed: [] },
      { added: ["db"], changed: ["web"], removed: ["old"] },
      { added: ["web", "old"], changed: [], removed: [] },
    ]);
    expect(rows.map(({ changes }) => changes.volumes)).toEqual([
      { added: [], changed: ["pgdata"], removed: [] },
      { added: ["pgdata"], changed: [], removed: [] },
      { added: [], changed: [], removed: [] },
    ]);
    expect(rows.map(({ changes }) => changes.routes)).toEqual([
      { added: 0, removed: 0 },
      { added: 0, removed: 1 },
      { added: 1, removed: 0 },
    ]);
  });

  it("compares the oldest requested commit with its predecessor, too", async () => {
    const { commits: rows } = await commitHistory(commits, "prod", 1);
    expect(rows.map(({ changes }) => changes.volumes.changed)).toEqual([["pgdata"]]);
  });

  it("knows no namespace without commits", async () => {
    expect(await code(commitHistory(commits, "prud", 1))).toBe("no_such_namespace");
  });
});

describe("a commit", () => {
  it("goes by last, revision, and operation or the beginning of it, in either case", async () => {
    const revisionOf = async (name: string) => (await commitDocument(commits, "prod", name)).revision;
    expect(await revisionOf("last")).toBe(revisions[2]);
    expect(await revisionOf(String(revisions[1]))).toBe(revisions[1]);
    expect(await revisionOf(OPERATIONS[0] ?? "")).toBe(revisions[0]);
    expect(await revisionOf("01n849")).toBe(revisions[2]);
    expect(await code(commitDocument(commits, "prod", "01M849"))).toBe("commit_ambiguous");
    expect(await code(commitDocument(commits, "prod", "99999"))).toBe("no_such_commit");
    expect(await code(commitDocument(commits, "prod", "*.>"))).toBe("no_such_commit");
    expect(await code(commitDocument(commits, "a.>", "last"))).toBe("invalid_input");
    expect(await code(commitDocument(commits, "a.>", "1"))).toBe("invalid_input");
  });

  it("has the values of environment variables only in its manifest", async () => {
    expect(JSON.stringify(await commitDocument(commits, "prod", "last"))).not.toContain("secret");
    const { text, revision } = await manifestDocument(commits, "prod");
    expect(revision).toBe(revisions[2]);
    expect(parseManifest(text, "toml")).toMatchObject({
      ok: true,
      manifest: {
        namespace: "prod",
        services: { db: { env: { PASSWORD: "secret" }, volumes: { pgdata: "/data" } } },
        volumes: { pgdata: {} },
      },
    });
  });

  it("of a removed namespace is no manifest", async () => {
    const gone = commit("01P849JKMJKJNHP441C7VF0Z5T", { removed: true });
    await commits.append(gone as never, revisions.at(-1) ?? 0);
    expect(await code(manifestDocument(commits, "prod"))).toBe("no_such_namespace");
    expect(await code(manifestDocument(commits, "prod", gone.operation))).toBe("commit_removed");
    expect((await manifestDocument(commits, "prod", String(revisions[2]))).text).toContain("pgdata");
    expect(await code(branchDocument(commits, { source: "prod", target: "pr-42" }))).toBe(
      "no_such_namespace",
    );
    const [last] = (await commitHistory(commits, "prod", 1)).commits;
    expect(last).toMatchObject({ removed: true, changes: { services: { removed: ["web", "db"] } } });
  });
});

describe("the manifest of a branch", () => {
  it("has routes of its own and the source's images", async () => {
    const { text, namespace } = await branchDocument(commits, { source: "prod", target: "pr-42" });
    expect(namespace).toBe("pr-42");
    expect(parseManifest(text, "toml")).toMatchObject({
      ok: true,
      manifest: {
        namespace: "pr-42",
        services: { web: { image: "app:v1", routes: [{ host: "pr-42--a.test", port: "http" }] } },
        volumes: { pgdata: {} },
      },
    });
  });

  it.each([
    [{ source: "prod" }, "invalid_input"],
    [{ source: "prod", target: "prod" }, "invalid_input"],
    [{ source: "prod", target: "x", services: { wbe: "skip" } }, "invalid_input"],
    [{ source: "none", target: "x" }, "no_such_namespace"],
    [null, "invalid_input"],
  ])("refuses %j", async (input, expected) => {
    expect(await code(branchDocument(commits, input))).toBe(expected);
  });
});
