import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { type Cluster, fixtures, node } from "./cluster.ts";
import { install } from "./traffic.ts";

/** Real databases on volumes, each reached through a TCP port of every gateway. */
export const DATABASES = {
  postgres: { service: "db", port: 15432, branchPort: 25432 },
  redis: { service: "cache", port: 16379, branchPort: 26379 },
} as const;
export type Database = keyof typeof DATABASES;

export const databaseBundles = { postgres: join(fixtures, "postgres"), redis: join(fixtures, "redis") };

/** `release` changes what both run with, and with it the commit. */
export function databaseManifest(release: string): string {
  const service = (database: Database, inside: number) => `
[services.${DATABASES[database].service}]
bundle = "./${database}"
command = ["/bin/sh", "start.sh"]
user = "${database}"
env = { PATH = "/usr/bin:/bin", RELEASE = "${release}" }
ports = { main = ${inside} }
routes = [{ tcp = ${DATABASES[database].port} }]
ready = { tcp = true, timeout = "60s" }
drain = "0s"
stop_grace = "30s"
volumes = { ${database} = "/data" }

[volumes.${database}]
`;
  return `namespace = "prod"\n${service("postgres", 5432)}${service("redis", 6379)}`;
}

export interface Beats extends AsyncDisposable {
  end(): Promise<{ readonly acknowledged: readonly number[]; readonly longestGapMs: number }>;
}

/** A heartbeat row every 10 ms from machine 1, numbered from `first`. */
export async function beats({ lab }: Cluster, database: Database, first: number): Promise<Beats> {
  const script = "/root/beats.mjs";
  await install(lab, 1, "beats.mjs", script);
  const done = `/run/beats.${database}.done`;
  await lab.sh(1, ["rm", "-f", done]);
  const loop = 'until [ -e "$1" ]; do sleep 0.1; done | "$2" "$3" "$4" "$5" "$6"';
  const { port } = DATABASES[database];
  const running = lab.sh(
    1,
    ["sh", "-c", loop, "sh", done, node, script, database, String(port), String(first)],
    {
      timeoutMs: 1_800_000,
    },
  );
  running.catch(() => {}); // reported to the caller of its end
  const end = async () => {
    await lab.sh(1, ["touch", done]);
    return JSON.parse((await running).stdout);
  };
  return { end, [Symbol.asyncDispose]: async () => void (await end().catch(() => {})) };
}

/** pgbench from machine 1, again whenever its connections break, until it is disposed. */
export async function pgbench(cluster: Cluster): Promise<AsyncDisposable> {
  const { lab } = cluster;
  const done = "/run/pgbench.done";
  await lab.sh(1, ["rm", "-f", done]);
  const loop = `until [ -e "$1" ]; do pgbench -h 127.0.0.1 -p ${DATABASES.postgres.port} -U postgres -n -c 2 -T 5 postgres >/dev/null 2>&1 || sleep 0.2; done`;
  const running = lab.sh(1, ["sh", "-c", loop, "sh", done], { timeoutMs: 1_800_000 });
  running.catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      await lab.sh(1, ["touch", done]);
      await running;
    },
  };
}

/** Asks until the database has opened its files: it accepts connections before it accepts questions. */
export async function sql(
  { lab }: Cluster,
  port: number,
  statement: string,
  timeoutMs = 60_000,
): Promise<string> {
  const argv = [
    "psql",
    "-h",
    "127.0.0.1",
    "-p",
    String(port),
    "-U",
    "postgres",
    "-qAtX",
    "-c",
    statement,
  ] as const;
  return waitFor(
    `PostgreSQL on port ${port}`,
    async () => {
      const { exitCode, stdout, stderr } = await lab.sh(1, [...argv], {
        okExitCodes: [0, 1, 2],
        timeoutMs: 600_000,
      });
      if (exitCode === 1) throw new Error(stderr);
      return exitCode === 0 ? stdout.trim() : undefined;
    },
    { timeoutMs, intervalMs: 200 },
  );
}

/** Heartbeat rows that a database has. */
export async function rowsIn(cluster: Cluster, database: Database, port: number): Promise<readonly number[]> {
  const text =
    database === "postgres"
      ? await sql(cluster, port, "SELECT n FROM beats")
      : (await cluster.lab.sh(1, ["redis-cli", "-p", String(port), "SMEMBERS", "beats"])).stdout;
  return text.split("\n").filter(Boolean).map(Number);
}
