// Writes facts one after the other until its stdin ends, and prints which ones were acknowledged. Connects to the store servers named by
// the machine's daemon, as its followers do. Run inside a machine's network namespace by a Node that reads TypeScript.
import { readFile } from "node:fs/promises";
import { openStore } from "@ployz/nats-store";

const { MEMBERSHIP = "", SEED = "" } = process.env;
/** Unique to this writer, which would mistake another writer's values for its own. */
const mine = `probe.${Date.now()}-${process.pid}`;
type Membership = {
  readonly cluster: { readonly id: string; readonly generation: number };
  readonly machine: { readonly id: string };
  readonly storeServers: readonly string[];
};
const membership = async () => JSON.parse(await readFile(MEMBERSHIP, "utf8")) as Membership;

const { cluster, machine, storeServers } = await membership();
const store = openStore({ servers: storeServers, nkeySeed: SEED, cluster: cluster.id, machine: machine.id });
const acknowledged: number[] = [];
let [longestGapMs, last, ended] = [0, performance.now(), false];
process.stdin.on("end", () => {
  ended = true;
});
process.stdin.resume();
const watching = setInterval(() => {
  membership().then(
    (now) => store.session.switchServers(now.cluster.generation, now.storeServers),
    () => {},
  );
}, 500);

for (let n = 1; !ended; ) {
  try {
    const written = await store.facts.put(`${mine}.${n}`, n, 0);
    if (!written.ok) throw new Error(`${mine}.${n} already exists, although this is its only writer`);
    acknowledged.push(n);
    longestGapMs = Math.max(longestGapMs, performance.now() - last);
    last = performance.now();
    n += 1;
  } catch (error) {
    // The outcome is unknown: repeat the same write.
    if ((error as { readonly code?: string }).code !== "store_unavailable") throw error;
  }
}
clearInterval(watching);
const there = new Set((await store.facts.list(mine)).map(({ value }) => value));
const lost = acknowledged.filter((n) => !there.has(n));
process.stdout.write(
  JSON.stringify({ acknowledged: acknowledged.length, lost, longestGapMs: Math.round(longestGapMs) }),
);
await store.close();
