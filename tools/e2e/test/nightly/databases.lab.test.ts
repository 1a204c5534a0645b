import type { ChangeSummary } from "@ployz/primitives";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import {
  beats,
  DATABASES,
  type Database,
  databaseBundles,
  databaseManifest,
  pgbench,
  rowsIn,
  sql,
} from "../../src/databases.ts";
import { lost } from "../../src/ledger.ts";

/** PostgreSQL under pgbench and Redis with every write on disk, each with a heartbeat row every 10 ms. */
let cluster: Cluster;
const PORT = DATABASES.postgres.port;
const both: readonly Database[] = ["postgres", "redis"];

const deploy = async (release: string) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, databaseManifest(release), databaseBundles)], {
    timeoutMs: 240_000,
  });
const ctl = (args: readonly string[]) => cluster.ctl(1, args, { timeoutMs: 600_000 });
let next = 1;
/** Numbers of rows are never used twice. */
const numbers = () => {
  next += 1_000_000;
  return next;
};

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, volumes: true, poolSize: "16G", databases: true });
  await deploy("v1");
  await sql(cluster, PORT, "CREATE TABLE beats (n bigint PRIMARY KEY); CREATE TABLE filler (bytes bytea)");
  await cluster.lab.sh(
    1,
    ["pgbench", "-h", "127.0.0.1", "-p", String(PORT), "-U", "postgres", "-qi", "-s", "1", "postgres"],
    {
      timeoutMs: 120_000,
    },
  );
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("a branch of live databases starts, and holds every heartbeat that was acknowledged before it", async () => {
  await using _load = await pgbench(cluster);
  await using postgres = await beats(cluster, "postgres", numbers());
  await using redis = await beats(cluster, "redis", numbers());
  const enough = async () => (await rowsIn(cluster, "postgres", PORT)).length;
  await expect.poll(enough, { timeout: 30_000 }).toBeGreaterThan(100);
  const before = await Promise.all(
    both.map((database) => rowsIn(cluster, database, DATABASES[database].port)),
  );
  const routes = both.flatMap((database) => {
    const { port, branchPort } = DATABASES[database];
    return ["--route", `${port}=${branchPort}`];
  });
  await ctl(["branch", "apply", "prod", "pr", "--volume-mode", "branch", ...routes]);
  for (const [index, database] of both.entries()) {
    const branched = await rowsIn(cluster, database, DATABASES[database].branchPort);
    expect(lost(before[index] ?? [], branched), database).toEqual([]);
  }
  for (const [database, running] of [
    ["postgres", postgres],
    ["redis", redis],
  ] as const) {
    const { acknowledged, longestGapMs } = await running.end();
    console.log(`${database}, branched: ${acknowledged.length} heartbeats, longest gap ${longestGapMs} ms`);
    expect(lost(acknowledged, await rowsIn(cluster, database, DATABASES[database].port)), database).toEqual(
      [],
    );
  }
  await ctl(["namespace", "rm", "pr", "--yes"]);
});

it("rolls back with data, and forward again with every heartbeat", async () => {
  const first = await Promise.all(
    both.map((database) => rowsIn(cluster, database, DATABASES[database].port)),
  );
  await deploy("v2");
  const { commits } = await cluster.json<{ commits: readonly { revision: number }[] }>(1, [
    "history",
    "prod",
  ]);
  const running = await Promise.all(both.map((database) => beats(cluster, database, numbers())));
  await expect
    .poll(async () => (await rowsIn(cluster, "postgres", PORT)).length, { timeout: 30_000 })
    .toBeGreaterThan((first[0]?.length ?? 0) + 50);
  const written = await Promise.all(running.map((each) => each.end()));
  await ctl(["rollback", "prod", "--volumes", "all"]);
  for (const [index, database] of both.entries()) {
    const rows = await rowsIn(cluster, database, DATABASES[database].port);
    expect(new Set(rows), database).toEqual(new Set(first[index]));
  }
  await ctl(["rollback", "prod", "--to", String(commits[0]?.revision), "--volumes", "all"]);
  for (const [index, database] of both.entries()) {
    const rows = await rowsIn(cluster, database, DATABASES[database].port);
    expect(lost([...(first[index] ?? []), ...(written[index]?.acknowledged ?? [])], rows), database).toEqual(
      [],
    );
  }
});

interface Moved {
  readonly downtimeMs: number;
  readonly floorMs: number;
  readonly wholeMs: number;
}

describe("migrations with the load on", () => {
  type Volumes = { readonly volumes: readonly { readonly name: string; readonly machine: string }[] };
  const machineOf = async (database: Database) =>
    (await cluster.json<Volumes>(1, ["volume", "ls", "prod"])).volumes.find(({ name }) => name === database)
      ?.machine;

  async function move(database: Database, to: string): Promise<Moved> {
    const { service, port } = DATABASES[database];
    await using running = await beats(cluster, database, numbers());
    const { operation, ms, output } = await cluster.json<{
      operation: string;
      ms: number;
      output: Pick<ChangeSummary, "services" | "volumes">;
    }>(1, ["migrate", "apply", `prod/${service}`, "--to", to], { timeoutMs: 900_000 });
    await rowsIn(cluster, database, port);
    const { acknowledged, longestGapMs } = await running.end();
    expect(lost(acknowledged, await rowsIn(cluster, database, port)), `${database} to ${to}`).toEqual([]);
    expect(await machineOf(database)).toBe(to);
    const { steps } = await cluster.json<{ steps: readonly { id: string; ms?: number }[] }>(1, [
      "ops",
      "show",
      operation,
    ]);
    const floorMs = steps
      .filter(({ id }) => /^(stop|final|start|ready) /.test(id))
      .reduce((sum, { ms: each = 0 }) => sum + each, 0);
    const detail = steps.map(({ id, ms: each }) => `${id} ${each}`).join(", ");
    const { downtimeMs: told = 0 } = output.services.find(({ name }) => name === service) ?? {};
    const { bytes = 0, lastBytes = 0 } = output.volumes.find(({ name }) => name === database)?.copied ?? {};
    console.log(
      `${database} to ${to}: ${acknowledged.length} heartbeats, downtime ${longestGapMs} ms, told ${told} ms, copied ${bytes}, of which last ${lastBytes} bytes, floor ${floorMs} ms, whole ${ms} ms (${detail})`,
    );
    expect(told).toBeGreaterThanOrEqual(floorMs);
    expect(told).toBeLessThan(longestGapMs + 500);
    return { downtimeMs: longestGapMs, floorMs, wholeMs: ms };
  }

  async function around(database: Database): Promise<readonly Moved[]> {
    const from = (await machineOf(database)) ?? "";
    const others = ["m1", "m2", "m3"].filter((machine) => machine !== from);
    const moved: Moved[] = [];
    for (const to of [...others, from]) moved.push(await move(database, to));
    return moved;
  }

  /** Rows of 64 KiB that do not compress. */
  const fill = (mib: number) => {
    const bytes =
      "SELECT string_agg(sha512((row * part + random())::text::bytea), '') FROM generate_series(1, 1024) part";
    return sql(
      cluster,
      PORT,
      `INSERT INTO filler SELECT (${bytes}) FROM generate_series(1, ${mib * 16}) row`,
      600_000,
    );
  };

  it("of Redis", async () => {
    await around("redis");
  });

  it("of PostgreSQL with 0.1, 1 and 4 GB: no heartbeat lost, and no longer downtime for more data", async () => {
    const shortest: number[] = [];
    for (const more of [100, 900, 3000]) {
      await fill(more);
      // What it still holds in memory it would write when it is stopped, as part of the last difference.
      await sql(cluster, PORT, "CHECKPOINT", 600_000);
      await using _load = await pgbench(cluster);
      shortest.push(Math.min(...(await around("postgres")).map(({ downtimeMs }) => downtimeMs)));
    }
    const [small = 0, ...larger] = shortest;
    // Ten and forty times the data: were the downtime to grow with it, it would be several times as long.
    for (const large of larger) expect(large).toBeLessThan(3 * small + 2_000);
  });
});
