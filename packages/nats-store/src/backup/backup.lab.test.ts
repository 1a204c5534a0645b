import { readFile, writeFile } from "node:fs/promises";
import { waitFor } from "@ployz/exec";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Cluster, continuousWriter, startCluster } from "../../test/machines.ts";
import { operationOf, serverBinary } from "../../test/rig.ts";
import { openFacts } from "../client/facts.ts";
import {
  type Backup,
  foundFromMirror,
  type NatsStore,
  openMirror,
  readBackup,
  refound,
  renewBackup,
  restoreStore,
  snapshotStore,
  writeBackup,
} from "../index.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster(["m1", "m2", "m3", "m4"]);
});
afterEach(() => cluster.cleanup());

const createdAt = "2026-01-01T00:00:00Z";

/** Some of everything: several commits, a fact that was removed, a secret, a journal, a lease. */
async function fill(store: NatsStore) {
  let expected = 0;
  for (const n of [1, 2, 3]) {
    const result = await store.commits.append({ namespace: "prod", operation: `op${n}`, n }, expected);
    expected = result.committed ? result.revision : 0;
  }
  await store.commits.append({ namespace: "staging", operation: "op4" }, 0);
  const gone = await store.facts.put("machine.gone", 1, 0);
  await store.facts.put("machine.m1", { address: "10.101.0.1" }, 0);
  await store.facts.remove("machine.gone", gone.ok ? gone.revision : 0);
  await openFacts(store.session, "secrets").put("tls.example", "sealed", 0);
  await store.journals.append("op1", 0, { step: 1 });
  await store.journals.putSummary("op1", { state: "done" });
  await store.leases.acquire("deploy.prod", { operation: "op1", machine: "m1" }, 60_000);
}

const everything = async (store: NatsStore) => ({
  history: await store.commits.history("prod", 10),
  heads: await store.commits.heads(),
  facts: await store.facts.list(""),
  secrets: await openFacts(store.session, "secrets").list(""),
  journal: await store.journals.read("op1"),
  summaries: await store.journals.summaries(10),
});

/** What restore and recover do: the old set is lost, the next one is founded from a backup. */
async function foundFrom(
  backup: Backup,
  machines: readonly string[],
  options: { readonly lineage?: string } = {},
) {
  const set = await cluster.set(2, machines);
  const done = await refound({
    ...cluster.refounding({ generation: 1, machines: [] }, set),
    async carry() {
      const servers = set.servers.map(({ host, port }) => `${host}:${port}`);
      const into = cluster.store(machines[0] ?? "", { servers, generation: 2 });
      const wanted = { replicas: machines.length, generation: 2, ...options };
      await restoreStore(into.session, backup, wanted);
      // A second run adds nothing to the first.
      await expect(restoreStore(into.session, backup, wanted)).rejects.toMatchObject({
        code: "store_not_empty",
      });
      await into.close();
    },
  });
  return cluster.store(machines[0] ?? "", { servers: done.servers, generation: done.generation });
}

it("restores a backup with a passphrase into other servers: all of it, with its revisions", async () => {
  const store = cluster.store("m1", { servers: cluster.first });
  await fill(store);
  const before = await everything(store);
  const file = `${cluster.dir}/backup.ployz`;
  await writeBackup(
    file,
    snapshotStore(store.session, { createdAt, passphrase: "pass phrase", versions: { ployzd: "1.2.3" } }),
  );
  expect((await readFile(file)).includes("10.101.0.1")).toBe(false);
  await expect(readBackup(file, { passphrase: "pass" })).rejects.toMatchObject({ code: "backup_wrong_key" });
  await store.facts.put("later", 1, 0);

  const backup = await readBackup(file, { passphrase: "pass phrase" });
  expect(backup.manifest).toMatchObject({
    cluster: cluster.name,
    generation: 1,
    consistent: true,
    createdAt,
    versions: { ployzd: "1.2.3", "nats-server": expect.stringMatching(/^2\./) },
  });
  await cluster.hosts.m1?.cut();
  const restored = await foundFrom(backup, ["m2"], { lineage: "restored-1" });
  expect(await everything(restored)).toEqual(before);
  const head = before.history[0]?.revision ?? 0;
  expect((await restored.commits.append({ namespace: "prod", operation: "stale" }, head - 1)).committed).toBe(
    false,
  );
  expect((await restored.commits.append({ namespace: "prod", operation: "next" }, head)).committed).toBe(
    true,
  );
});

it("says so when the store takes writes while all of it should be copied, and copies a store at work otherwise", async () => {
  const store = cluster.store("m1", { servers: cluster.first });
  await fill(store);
  const writer = continuousWriter(cluster.store("m2", { servers: cluster.first }));
  await writer.more(5);
  const file = `${cluster.dir}/live.ployz`;
  const slowly = async function* (options: { fenced: boolean }) {
    for await (const chunk of snapshotStore(store.session, { createdAt, ...options })) {
      await writer.more(1);
      yield chunk;
    }
  };
  await expect(writeBackup(file, slowly({ fenced: true }))).rejects.toMatchObject({
    code: "store_not_fenced",
  });
  await writeBackup(file, slowly({ fenced: false }));
  await writer.stop();
  const backup = await readBackup(file);
  expect(backup.manifest.consistent).toBe(false);
  await cluster.hosts.m1?.cut();
  const restored = await foundFrom(backup, ["m2"], { lineage: "restored-2" });
  const history = await restored.commits.history("writer", 10_000);
  expect(history.length).toBeGreaterThan(4);
  expect((await restored.facts.get("machine.m1"))?.value).toEqual({ address: "10.101.0.1" });
});

it("does not call a restore good whose messages are not those of the backup", async () => {
  const store = cluster.store("m1", { servers: cluster.first });
  await fill(store);
  const file = `${cluster.dir}/backup.ployz`;
  await writeBackup(file, snapshotStore(store.session, { createdAt }));
  const backup = await readBackup(file);
  const streams = backup.manifest.streams.map((stream) => ({
    ...stream,
    contents: `sha256:${"0".repeat(64)}`,
  }));
  const other = { ...backup, manifest: { ...backup.manifest, streams } };
  await expect(foundFrom(other, ["m2"])).rejects.toMatchObject({ code: "restore_unverified" });
  expect((await cluster.machines.m2?.record())?.generations).toEqual([]);
  const elsewhere = { ...backup, manifest: { ...backup.manifest, cluster: "other" } };
  await expect(restoreStore(store.session, elsewhere, { replicas: 1, generation: 2 })).rejects.toMatchObject({
    code: "backup_other_cluster",
  });
});

it("recovers from a survivor's mirror into three servers: heads and facts at their revisions, and CAS continues", async () => {
  const store = cluster.store("m1", { servers: cluster.first });
  await fill(store);
  const dir = `${cluster.dir}/mirror`;
  const survivor = cluster.store("m3", { servers: cluster.first });
  const mirror = await openMirror({ dir, store: survivor });
  await mirror.synced();
  await mirror.close();
  // Another machine saw one commit more. Its revision is never given to anything else.
  const unseen = await store.commits.append({ namespace: "staging", operation: "unseen" }, 4);
  const ahead = await openMirror({ dir: `${cluster.dir}/ahead`, store: survivor });
  await ahead.synced();
  await ahead.close();
  const before = { heads: mirror.heads(), facts: mirror.facts("") };
  await store.close();
  await cluster.hosts.m1?.cut();

  const file = `${cluster.dir}/recovered.ployz`;
  const binary = await serverBinary();
  const recovered = await foundFromMirror(dir, {
    cluster: cluster.name,
    generation: 1,
    file,
    createdAt,
    binary,
  });
  expect(recovered).toMatchObject({ commits: 4, namespaces: ["prod", "staging"], factCount: 1, damaged: [] });
  const backup = await readBackup(file);
  const restored = await foundFrom(backup, ["m2", "m3", "m4"]);
  expect(await restored.commits.heads()).toEqual(before.heads);
  expect(await restored.facts.list("")).toEqual(before.facts);
  expect((await restored.commits.history("prod", 10)).map((entry) => operationOf(entry.value))).toEqual([
    "op3",
  ]);
  const head = before.heads[0]?.revision ?? 0;
  expect((await restored.commits.append({ namespace: "prod", operation: "stale" }, head - 1)).committed).toBe(
    false,
  );
  const next = await restored.commits.append({ namespace: "prod", operation: "next" }, head);
  expect(next.committed && next.revision).toBeGreaterThan(unseen.committed ? unseen.revision : 0);

  // A mirror that was ahead takes the new truth; it is not kept from it for ever.
  const errors: unknown[] = [];
  const again = await openMirror({
    dir: `${cluster.dir}/ahead`,
    store: restored,
    onError: (error) => errors.push(error),
  });
  await again.synced();
  expect(errors).toEqual([]);
  expect(again.heads().map(({ value }) => operationOf(value))).toEqual(["next", "op4"]);
  await again.close();
});

it("restores an old backup over a store with later writes: new revisions never equal old ones", async () => {
  const store = cluster.store("m1", { servers: cluster.first });
  await fill(store);
  const before = await everything(store);
  const [old, renewed] = [`${cluster.dir}/old.ployz`, `${cluster.dir}/renewed.ployz`];
  await writeBackup(old, snapshotStore(store.session, { createdAt }));
  // A bad deploy, which the mirrors have seen.
  const head = before.history[0]?.revision ?? 0;
  const bad = await store.commits.append({ namespace: "prod", operation: "bad" }, head);
  await store.commits.append({ namespace: "later", operation: "op" }, 0);
  const errors: unknown[] = [];
  const member = cluster.store("m4", { servers: cluster.first });
  const mirror = await openMirror({
    dir: `${cluster.dir}/mirror`,
    store: member,
    onError: (error) => errors.push(error),
  });
  await mirror.synced();
  expect(mirror.heads().map(({ value }) => operationOf(value))).toEqual(["op", "bad", "op4"]);

  const binary = await serverBinary();
  const seen = mirror.applied();
  await renewBackup(await readBackup(old), { file: renewed, createdAt, seen, binary });
  const backup = await readBackup(renewed);
  const set = await cluster.set(2, ["m2"]);
  const done = await refound({
    ...cluster.refounding({ generation: 1, machines: ["m1"] }, set),
    async carry() {
      const servers = set.servers.map(({ host, port }) => `${host}:${port}`);
      const into = cluster.store("m2", { servers, generation: 2 });
      await restoreStore(into.session, backup, { replicas: 1, generation: 2 });
      await into.close();
    },
  });
  member.session.switchServers(done.generation, done.servers);
  const restored = cluster.store("m2", { servers: done.servers, generation: 2 });
  expect(await everything(restored)).toEqual(before);
  expect(await restored.leases.list()).toEqual([]);
  const next = await restored.commits.append({ namespace: "prod", operation: "next" }, head);
  expect(next.committed && next.revision).toBeGreaterThan(bad.committed ? bad.revision : 0);
  await waitFor(
    "the mirror to take the restored state",
    async () => (operationOf(mirror.heads()[0]?.value) === "next" ? true : undefined),
    { timeoutMs: 20_000 },
  );
  expect(mirror.heads().map(({ key }) => key)).toEqual(["prod", "staging"]);
  expect(errors).toMatchObject(errors.map(() => ({ code: "store_refounded" })));
  await mirror.close();
});

it("refuses a mirror that holds nothing, and names files that it could not read", async () => {
  const options = { cluster: cluster.name, generation: 1, file: `${cluster.dir}/x.ployz`, createdAt };
  await expect(foundFromMirror(`${cluster.dir}/none`, options)).rejects.toMatchObject({
    code: "mirror_empty",
  });
  const store = cluster.store("m1", { servers: cluster.first });
  await fill(store);
  const dir = `${cluster.dir}/mirror`;
  const mirror = await openMirror({ dir, store });
  await mirror.synced();
  await mirror.close();
  await writeFile(`${dir}/heads/prod.json`, "{");
  const binary = await serverBinary();
  const recovered = await foundFromMirror(dir, { ...options, binary });
  expect(recovered.namespaces).toEqual(["staging"]);
  expect(recovered.damaged).toHaveLength(1);
});
