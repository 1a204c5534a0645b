import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

/** Machines come and go at the same time, asked for on different machines. */
let cluster: Cluster;
const ADD = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];
type Machines = {
  readonly machines: readonly {
    readonly record: { readonly id: string; readonly subnet: string; readonly publicKey: string };
  }[];
};
const members = async (i: number) =>
  (await cluster.json<Machines>(i, ["machine", "ls"])).machines.map(({ record }) => record);
const peersOf = async (i: number) =>
  (await cluster.lab.sh(i, ["wg", "show", "ployz-wg0", "peers"])).stdout.trim().split("\n").sort();
const add = (from: number, ...targets: readonly number[]) =>
  cluster.ctl(from, ["machine", "add", ...targets.map((i) => `root@m${i}`), ...ADD], { timeoutMs: 280_000 });

/** No two share a name, a subnet or a key, and each has all others as its peers. */
async function whole(present: readonly number[]): Promise<void> {
  const records = await members(present[0] ?? 1);
  expect(records.map(({ id }) => id).sort()).toEqual(present.map((i) => `m${i}`).sort());
  for (const of of ["subnet", "publicKey"] as const)
    expect(new Set(records.map((record) => record[of])).size).toBe(present.length);
  for (const i of present) {
    const others = records.filter(({ id }) => id !== `m${i}`).map(({ publicKey }) => publicKey);
    await within(`m${i} has ${others.length} peers`, 20_000, async () =>
      (await peersOf(i)).join() === others.sort().join() ? true : undefined,
    );
  }
}

beforeAll(async () => {
  cluster = await openCluster({ machines: 13, members: 2 });
  const { stdout: key } = await cluster.lab.sh(1, ["cat", "/root/.ssh/id_ed25519"]);
  const take = "umask 077; mkdir -p /root/.ssh; cat > /root/.ssh/id_ed25519";
  for (const i of [2, 3]) await cluster.lab.sh(i, ["sh", "-c", take], { input: key });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("ten machines are added at once from two members", async () => {
  await Promise.all([add(1, 3, 4, 5, 6, 7), add(2, 8, 9, 10, 11, 12)]);
  await whole([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

it("one is added while another one is removed", async () => {
  await Promise.all([add(1, 13), cluster.ctl(3, ["machine", "rm", "m2", "--yes"], { timeoutMs: 180_000 })]);
  await whole([1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
});
