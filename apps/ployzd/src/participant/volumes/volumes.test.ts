import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Dataset } from "@ployz/zfs";
import { describe, expect, it } from "vitest";
import { labelsOf, usesOf } from "../labels.ts";
import { commonBase } from "./common-snapshot.ts";
import { asideDataset, checkId, copiesIn, layoutOf, volumeDataset } from "./layout.ts";
import { limited } from "./limit.ts";
import { expired } from "./retention.ts";
import { ownerOf } from "./use.ts";

const layout = layoutOf("tank/ployz", "/var/lib/ployz/volumes");
const DAY_MS = 86_400_000;

function dataset(name: string, more: Partial<Dataset> = {}): Dataset {
  return {
    ...{ name, type: name.includes("@") ? "snapshot" : "filesystem", guid: `9${name.length}`, createdAt: 0 },
    ...{ usedBytes: 1, referencedBytes: 1, mounted: false, user: {}, properties: new Map(), ...more },
  };
}
const marked = (name: string, id: string, more: Record<string, string> = {}) =>
  dataset(name, { user: { "ployz:volume": "prod/db", "ployz:id": id, "ployz:operation": "op", ...more } });

describe("copies", () => {
  it("have the state of their place", () => {
    const found = copiesIn(layout, [
      dataset("tank/ployz"),
      dataset("tank/ployz/volumes/prod"),
      marked("tank/ployz/volumes/prod/a", "a"),
      marked("tank/ployz/volumes/prod/b", "b", { "ployz:sealed-by": "op2" }),
      dataset("tank/ployz/volumes/prod/foreign"),
      marked("tank/ployz/volumes/prod/a/below", "a"),
      marked("tank/ployz/incoming/c", "c", { "ployz:was-retired": "2026-01-01T00:00:00Z" }),
      dataset("tank/ployz/incoming/c/data", { guid: "77" }),
      marked("tank/ployz/incoming/d", "d"),
      // What its old place left marked does not count in the new one.
      marked("tank/ployz/retired/e", "e", { "ployz:sealed-by": "op2" }),
      marked("tank/ployz/retired/e.aside-12345678", "e"),
    ]);
    expect(
      found.map(({ id, state, sealedBy, dataset: of }) => [id, state, sealedBy, of?.guid]),
    ).toMatchObject([
      ["a", "active", undefined, expect.any(String)],
      ["b", "sealed", "op2", expect.any(String)],
      ["c", "incoming", undefined, "77"],
      ["d", "incoming", undefined, undefined],
      ["e", "retired", undefined, expect.any(String)],
      ["e.aside-12345678", "retired", undefined, expect.any(String)],
    ]);
    expect(found[2]?.wasRetired).toBe("2026-01-01T00:00:00Z");
  });

  it.each(["../etc", "a/b", "-o", "a..b", "A", "", "a@b", `a${"b".repeat(160)}`])("%j is no id", (id) => {
    expect(() => checkId(id)).toThrow();
    expect(() => volumeDataset(layout, "prod", id)).toThrow();
  });

  it("take names as long as they can get", () => {
    const label = "a".repeat(63);
    const id = `${label}.${label}.k3v9x2ab`;
    expect(asideDataset(layout, id, "12345678901")).toContain(".aside-45678901");
  });
});

describe("the base of a difference", () => {
  const list = (...guids: string[]) =>
    guids.map((guid) => ({ name: `n${guid}`, guid, createdAt: "", usedBytes: 0 }));
  it.each([
    ["the newest that both have", list("1", "2"), list("1", "2", "3"), "n3", "2"],
    ["the wanted one exists already", list("1", "2"), list("1", "2"), "n2", "2"],
    ["nothing here", [], list("1"), "n1", undefined],
    ["nothing in common", list("9"), list("1"), "n1", undefined],
    ["newer ones of another program", list("1", "9", "8"), list("1", "2"), "n2", "1"],
    ["a newer one than the wanted one", list("1", "2"), list("1", "2"), "n1", undefined],
  ])("%s", (_what, ours, theirs, wanted, base) => {
    expect(commonBase(ours, theirs, wanted)?.guid).toBe(base);
  });
});

describe("the retention", () => {
  const now = 100 * DAY_MS;
  const active = marked("tank/ployz/volumes/prod/a", "a");
  /** As operations name them, told apart by the end. */
  const named = (name: string) => `${"01j00000000000000000000000".slice(0, -name.length)}${name}`;
  const snapshot = (of: string, name: string, ageDays: number, holds = 0) =>
    dataset(`${of}@${name.startsWith("by-hand") ? name : named(name)}`, {
      createdAt: now - ageDays * DAY_MS,
      properties: new Map([["userrefs", { value: String(holds), source: "none" }]]),
    });
  const retired = (id: string, ageDays: number) =>
    marked(`tank/ployz/retired/${id}`, id, {
      "ployz:retired-at": new Date(now - ageDays * DAY_MS).toISOString(),
    });
  const look = (filesystems: Dataset[], snapshots: Dataset[], retention = { last: 2, days: 7 }) =>
    expired({ layout, namespace: "prod", filesystems, snapshots, retention, now }).map(
      ({ name, dependents }) => [name, dependents.length],
    );

  it("keeps the last and the young", () => {
    const ages = [30, 20, 10, 9, 8, 1];
    const snapshots = ages.map((age) => snapshot(active.name, `d${age}`, age));
    expect(look([active], snapshots)).toEqual(
      ["d30", "d20", "d10", "d9"].map((name) => [`a@${named(name)}`, 0]),
    );
    expect(look([active], snapshots, { last: 10, days: 0 })).toEqual([]);
    expect(look([active], snapshots, { last: 1, days: 365 })).toEqual([]);
  });

  it("counts only those of operations: others push none of them out", () => {
    const ours = [40, 39].map((age) => snapshot(active.name, `d${age}`, age));
    const others = [38, 37, 36, 35].map((age) => snapshot(active.name, `by-hand-${age}`, age));
    expect(look([active], [...ours, ...others])).toEqual([]);
  });

  it("never expires a snapshot that an operator has named", () => {
    const snapshots = [
      snapshot(active.name, "by-hand", 99),
      ...[3, 2, 1].map((n) => snapshot(active.name, `s${n}`, n)),
    ];
    expect(look([active], snapshots, { last: 1, days: 0 }).map(([name]) => name)).not.toContain("a@by-hand");
  });

  it("never expires the newest snapshot, however old", () => {
    expect(look([active], [snapshot(active.name, "only", 99)], { last: 1, days: 0 })).toEqual([]);
  });

  it("expires retired copies as a whole, beyond the last of their volume", () => {
    const copies = [retired("r1", 30), retired("r2", 20), retired("r3", 10), retired("r4", 1)];
    const snapshots = copies.map(({ name }) => snapshot(name, "s", 50));
    expect(look(copies, snapshots)).toEqual([
      ["r2", 0],
      ["r1", 0],
    ]);
    expect(look([marked("tank/ployz/retired/x", "x")], [], { last: 1, days: 0 })).toEqual([]);
  });

  it("says what needs that which stays", () => {
    const copies = [retired("r1", 30), retired("r2", 20), retired("r3", 10)];
    const clone = dataset("tank/ployz/volumes/pr/c", { origin: "tank/ployz/retired/r1@s" });
    expect(look([...copies, clone], [])).toEqual([["r1", 1]]);
    const held = [
      snapshot(active.name, "s1", 30, 1),
      snapshot(active.name, "s2", 20),
      snapshot(active.name, "s3", 10),
    ];
    expect(look([active], held)).toEqual([[`a@${named("s1")}`, 1]]);
  });

  it("leaves other namespaces and incoming copies alone", () => {
    const other = dataset("tank/ployz/volumes/pr/a", { user: { "ployz:volume": "pr/db", "ployz:id": "p" } });
    const incoming = [marked("tank/ployz/incoming/i", "i"), dataset("tank/ployz/incoming/i/data")];
    const snapshots = [other.name, "tank/ployz/incoming/i/data"].flatMap((name) =>
      ["s1", "s2", "s3"].map((s, index) => snapshot(name, s, 30 - index)),
    );
    expect(look([other, ...incoming], snapshots)).toEqual([]);
  });

  it("removes what a snapshot of several volumes left on their parent", () => {
    expect(look([active], [snapshot("tank/ployz/volumes/prod", "cut", 2)])).toEqual([
      [`prod@${named("cut")}`, 0],
    ]);
  });
});

describe("an instance's volumes", () => {
  it("are read back from its labels", () => {
    const volumes = [
      { id: "prod.db.aaaaaaaa", target: "/data", scope: "single" },
      { id: "prod.files.bbbbbbbb", target: "/files", scope: "shared" },
    ] as const;
    const labels = labelsOf({ volumes, slot: 0 } as never);
    expect(usesOf(labels)).toEqual(volumes.map(({ id, scope }) => ({ id, scope })));
    expect(usesOf({})).toEqual([]);
    expect(labelsOf({ slot: 0, volumes: [] } as never)).not.toHaveProperty("volumes");
  });

  it("belong to whom the image's accounts say, and without an image to an account of the machine", async () => {
    const ownerIn = async (...asked: readonly unknown[]) => {
      expect(asked).toEqual(["i", "sha256:1", "web"]);
      return { uid: 1234, gid: 1235 };
    };
    const image = { ref: "web:v1", digest: "sha256:1" };
    expect(await ownerOf({ ownerIn }, { id: "i", user: "web", image })).toEqual({ uid: 1234, gid: 1235 });
    expect(await ownerOf({ ownerIn }, { id: "i", user: "1000:2000" })).toMatchObject({
      uid: 1000,
      gid: 2000,
    });
  });
});

describe("the limit of a transfer", () => {
  const into = () => new Writable({ write: (_chunk, _encoding, next) => next() });
  const source = () => Readable.from([Buffer.alloc(1_000), Buffer.alloc(1_000)]);
  it("makes a stream wait, with signs of life", async () => {
    let signs = 0;
    const { signal } = new AbortController();
    const began = performance.now();
    await pipeline(limited(source(), { signal, bytesPerSecond: 4_000, onWait: () => signs++ }), into());
    expect(performance.now() - began).toBeGreaterThan(480);
    expect(signs).toBeGreaterThan(1);
  });

  it("ends with its caller", async () => {
    const gone = new AbortController();
    const onWait = () => gone.abort(new Error("left"));
    const slow = limited(source(), { signal: gone.signal, bytesPerSecond: 1, onWait });
    await expect(pipeline(slow, into())).rejects.toThrow();
  });
});
