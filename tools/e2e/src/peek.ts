// Prints the store's contents as JSON. Run inside a store machine's network namespace by a Node that reads TypeScript.
import { openStore } from "@ployz/nats-store";

const { SERVER = "", SEED = "", CLUSTER = "", MACHINE = "" } = process.env;
const store = openStore({ servers: [SERVER], nkeySeed: SEED, cluster: CLUSTER, machine: MACHINE });
try {
  const [facts, leases, heads, summaries] = await Promise.all([
    store.facts.list(""),
    store.leases.list(),
    store.commits.heads(),
    store.journals.summaries(1000),
  ]);
  const operations = summaries.map(({ value }) => value);
  process.stdout.write(JSON.stringify({ facts, leases, heads: heads.map(({ value }) => value), operations }));
} finally {
  await store.close();
}
