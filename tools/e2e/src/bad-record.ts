// Publishes a record as a broken or newer member would: with the machine's own key, unchecked. Run inside the machine's network namespace
// by a Node that reads TypeScript.
import { readFile } from "node:fs/promises";
import { openStore } from "@ployz/nats-store";

const { MEMBERSHIP = "", SEED = "", RECORD = "", VALUE = "" } = process.env;
const { cluster, machine, storeServers } = JSON.parse(await readFile(MEMBERSHIP, "utf8")) as {
  readonly cluster: { readonly id: string; readonly generation: number };
  readonly machine: { readonly id: string };
  readonly storeServers: readonly string[];
};
const { id, generation } = cluster;
const store = openStore({
  servers: storeServers,
  nkeySeed: SEED,
  cluster: id,
  machine: machine.id,
  generation,
});
const [kind, ...rest] = RECORD.split(".");
const key = rest.join(".");
if (kind === "commit") {
  // `VALUE` changes fields of the last commit; one that is no object replaces it.
  const last = await store.commits.last(key);
  const value = JSON.parse(VALUE);
  const { js } = await store.session.link();
  const bad = value?.change === undefined ? value : { ...(last?.value as object), ...value.change };
  await js.publish(`ployz.v1.${id}.commit.${key}`, JSON.stringify(bad));
} else {
  const there = await store.facts.get(key);
  await store.facts.put(key, JSON.parse(VALUE), there?.revision ?? 0);
}
await store.close();
