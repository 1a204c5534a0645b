import { PloyzError } from "@ployz/errors";
import type { Commit } from "@ployz/primitives/protocol";
import { describe, expect, it } from "vitest";
import { adoptCommitted, committedStart } from "./adopt.ts";

const spec = {
  ...{ command: ["db"], env: {}, stopGraceMs: 1_000 },
  volumes: { data: "/var/lib/db" },
};
const commit = {
  namespace: "prod",
  operation: "op",
  services: { db: { revision: "r", spec } },
  volumes: [{ name: "data", id: "prod.data.new", machine: "m1", spec: { scope: "shared" } }],
  instances: [
    { id: "prod.db.0.a", service: "db", slot: 0, machine: "m1", address: "10.101.1.2", revision: "r" },
  ],
} as unknown as Commit;
const instance = {
  ...(commit.instances[0] as Commit["instances"][number]),
  volumes: { data: "prod.data.old" },
};

describe("a committed instance", () => {
  it("is started with the volumes that it was started with then", () => {
    expect(committedStart(commit, instance)?.volumes).toEqual([
      { id: "prod.data.old", target: "/var/lib/db", scope: "shared" },
    ]);
  });

  it("is never started without its volume", () => {
    const { volumes: _, ...bare } = instance;
    expect(() => committedStart(commit, bare)).toThrow("has no id for volume data");
  });

  async function adopt(
    state: string,
    use: () => Promise<never>,
    remountedAt?: number,
    of: { readonly commit: Commit; readonly confirmed: boolean } = { commit, confirmed: false },
  ) {
    const done: string[] = [];
    const note = (what: string) => async () => void done.push(what);
    const deps = {
      runtime: {
        adopt: async () => {},
        inspect: async () => ({ state, startedAt: "2026-01-01T00:00:00Z" }),
        ...{ create: note("create"), start: note("start"), stop: note("stop") },
      },
      reservations: { restore: async () => {} },
      stopped: { has: () => false },
      files: { write: async () => [], remove: async () => {} },
      secrets: { values: async () => ({}) },
      bundles: {},
      address: "10.101.1.1",
      volumes: {
        path: (id: string) => `/v/${id}/data`,
        remountedAt: () => remountedAt,
        use: async (_: unknown, task: () => Promise<unknown>) => ((await use()) as unknown) ?? task(),
      },
    };
    const report = await adoptCommitted(
      "m1",
      [{ ...of.commit, instances: [instance] }],
      deps as never,
      of.confirmed,
    );
    return { done, report };
  }
  const refuse = async () => {
    throw new PloyzError({ code: "volume_sealed", message: "sealed" });
  };
  const allow = (async () => undefined) as () => Promise<never>;

  it("whose volume is sealed is reported, and not started", async () => {
    const { done, report } = await adopt("exited", refuse);
    expect(done).toEqual([]);
    expect(report.failed).toMatchObject([{ what: instance.id, error: { code: "volume_sealed" } }]);
  });

  it("is made only when the machine has nothing of it: an existing one starts, whatever changed since", async () => {
    expect((await adopt("exited", allow)).done).toEqual(["start"]);
    expect((await adopt("absent", allow)).done).toEqual(["create", "start"]);
  });

  it("whose volume has a standby starts only when its commit is known to be the last", async () => {
    const [volume] = commit.volumes;
    const spec = { scope: "shared" as const, standby: { machines: ["m2"], everyMs: 60_000 } };
    const followed = {
      ...commit,
      volumes: [{ ...volume, id: "prod.data.old", spec }],
    } as unknown as Commit;
    const of = (confirmed: boolean) => ({ commit: followed, confirmed });
    const early = await adopt("exited", allow, undefined, of(false));
    expect(early.done).toEqual([]);
    expect(early.report.failed).toMatchObject([{ error: { code: "store_unavailable" } }]);
    expect((await adopt("running", allow, undefined, of(false))).report.failed).toEqual([]);
    expect((await adopt("exited", allow, undefined, of(true))).done).toEqual(["start"]);
  });

  it("that runs on a mount that has died is started again", async () => {
    const { done, report } = await adopt("running", allow, Date.parse("2026-01-02T00:00:00Z"));
    expect(done).toEqual(["stop", "start"]);
    expect(report.recreated).toMatchObject([{ why: "its volume had to be mounted again" }]);
    expect((await adopt("running", allow, Date.parse("2025-12-31T00:00:00Z"))).done).toEqual([]);
  });
});
