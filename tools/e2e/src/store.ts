import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, spawnStream, waitFor } from "@ployz/exec";
import type { StoreStatus } from "@ployz/primitives/client";
import { type Cluster, installedNode } from "./cluster.ts";

const script = join(dirname(fileURLToPath(import.meta.url)), "store-writer.ts");
const publisher = join(dirname(fileURLToPath(import.meta.url)), "bad-record.ts");

export interface StoreWritten {
  readonly acknowledged: number;
  /** Acknowledged but missing. */
  readonly lost: readonly number[];
  readonly longestGapMs: number;
}

export interface StoreWriter extends AsyncDisposable {
  end(): Promise<StoreWritten>;
}

/** Writes into the store with the key of machine `i`, from there. */
export async function storeWriter({ lab }: Cluster, i: number): Promise<StoreWriter> {
  const machine = (await lab.info()).machines[i - 1];
  if (machine?.init == null) throw new Error(`m${i} is off`);
  const seed = (await lab.sh(i, ["cat", "/var/lib/ployz/identity/nats.seed"])).stdout.trim();
  const node = await installedNode(machine.init);
  const child = spawnStream(
    "nsenter",
    [`--net=/proc/${machine.init}/ns/net`, node, "--conditions=@ployz/source", script],
    {
      env: { MEMBERSHIP: join(machine.disk, "var/lib/ployz/membership.json"), SEED: seed },
      redact: [seed],
    },
  );
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.done.catch(() => {}); // reported to the caller of its end
  const end = async () => {
    child.stdin.end();
    await child.done;
    return JSON.parse(stdout) as StoreWritten;
  };
  return { end, [Symbol.asyncDispose]: async () => void (await end().catch(() => {})) };
}

export const storeOf = (cluster: Cluster, i: number): Promise<StoreStatus> =>
  cluster.json<StoreStatus>(i, ["store", "status"]);

/** Store machines as seen by machine `i`, all of them up to date. */
export async function storeOn(
  cluster: Cluster,
  i: number,
  machines: readonly string[],
): Promise<StoreStatus> {
  return waitFor(
    `the store on ${machines.join(", ")}`,
    async () => {
      const status = await storeOf(cluster, i);
      const good = status.machines.filter(({ state }) => state !== "down" && state !== "behind");
      return status.state === "open" && good.map(({ id }) => id).join() === machines.join()
        ? status
        : undefined;
    },
    { timeoutMs: 60_000, intervalMs: 300 },
  );
}

/** Publishes a record with the key of machine `i`, unchecked. A `change` sets fields of the namespace's last commit. */
export async function publishRecord(
  { lab }: Cluster,
  i: number,
  record: string,
  value: unknown,
): Promise<void> {
  const machine = (await lab.info()).machines[i - 1];
  if (machine?.init == null) throw new Error(`m${i} is off`);
  const seed = (await lab.sh(i, ["cat", "/var/lib/ployz/identity/nats.seed"])).stdout.trim();
  const node = await installedNode(machine.init);
  await run(
    "nsenter",
    [`--net=/proc/${machine.init}/ns/net`, node, "--conditions=@ployz/source", publisher],
    {
      env: {
        MEMBERSHIP: join(machine.disk, "var/lib/ployz/membership.json"),
        ...{ SEED: seed, RECORD: record, VALUE: JSON.stringify(value) },
      },
      redact: [seed],
    },
  );
}
