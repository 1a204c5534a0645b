import { waitFor } from "@ployz/exec";
import type { ClusterStatus, CommitHistory, InstanceList } from "@ployz/primitives/client";
import type { OperationList } from "@ployz/primitives/protocol";
import type { Cluster } from "../cluster.ts";
import { storeContents } from "../inventory.ts";
import { LEDGER, lost, rowsOf } from "../ledger.ts";
import type { Collector } from "./collector.ts";
import { ANY } from "./commands.ts";

/** A busy host needs many times what an idle one does; only a failure takes this long. */
const PATIENCE_MS = 300_000;

/** `probe` lists what differs; what still differs at the end of the time is a violation. */
async function settles(what: string, probe: () => Promise<readonly string[]>): Promise<readonly string[]> {
  const began = performance.now();
  let wrong: readonly string[] = [];
  try {
    await waitFor(
      what,
      async () => {
        wrong = await probe().catch((error: unknown) => [String(error).slice(0, 800)]);
        return wrong.length === 0 ? true : undefined;
      },
      { timeoutMs: PATIENCE_MS, intervalMs: 500 },
    );
    console.log(`${what}: after ${Math.round(performance.now() - began)} ms`);
    return [];
  } catch {
    return wrong.map((line) => `${what}: ${line}`);
  }
}

const everyone = ({ lab }: Cluster) => lab.addresses.map((_, index) => index + 1);
const each = async (cluster: Cluster, probe: (machine: number) => Promise<readonly string[]>) =>
  (await Promise.all(everyone(cluster).map(probe))).flat();

/** With all faults ended: what does not come to rest, and which laws do not hold then. In the order of time, up to the first that fails. */
export async function atRest(
  cluster: Cluster,
  collector: Collector,
  beforeRows: () => Promise<void>,
): Promise<readonly string[]> {
  const checks = [
    () => settles("daemons answer and have the store", () => each(cluster, connected)),
    () => settles("operations end", () => ended(cluster, ["interrupted"])),
    () => abortInterrupted(cluster),
    () => settles("nothing is owed", () => ended(cluster, [])),
    () => settles("committed instances run, and no others", () => instances(cluster)),
    () =>
      settles("gateways serve the commit", async () => {
        const version = await committedVersion(cluster);
        return each(cluster, (machine) => serves(machine, version));
      }),
    () => beforeRows().then(() => []),
    () => settles("no acknowledged row is lost", () => rows(cluster, collector)),
    () => settles("doctor has nothing to say", () => each(cluster, healthy)),
    () => settles("no lease is left", () => leases(cluster)),
  ];
  for (const check of checks) {
    const wrong = await check();
    if (wrong.length > 0) return wrong;
  }
  return [];

  async function connected(machine: number): Promise<readonly string[]> {
    const { store } = await cluster.json<{ store?: string }>(machine, ["mesh", "status"]);
    return store === "connected" ? [] : [`m${machine}: ${store}`];
  }

  async function serves(machine: number, version: string): Promise<readonly string[]> {
    const web = await cluster.get(machine, "www.example.test");
    const ledger = await cluster.get(machine, LEDGER, "/healthz");
    return [
      ...(web.status === 200 && web.body.includes(`"version":"${version}"`)
        ? []
        : [`m${machine}: web is ${web.status} ${web.body.slice(0, 100)}, committed is ${version}`]),
      ...(ledger.status === 200 ? [] : [`m${machine}: ledger is ${ledger.status}`]),
    ];
  }

  async function healthy(machine: number): Promise<readonly string[]> {
    type Report = { checks: readonly { id: string; state: string; found: string }[] };
    const { stdout } = await cluster.ctl(machine, ["doctor", "--json"], { ok: [0, 3] });
    const { checks } = JSON.parse(stdout) as Report;
    const { warnings } = await cluster.json<Pick<ClusterStatus, "warnings">>(machine, ["status"]);
    return [
      ...checks
        .filter(({ state, id }) => state !== "ok" && !(state === "warn" && USUAL.has(id)))
        .map(({ id, state, found }) => `m${machine}: ${id} ${state}: ${found}`),
      ...warnings
        .filter(({ code = "" }) => !EXPECTED.has(code))
        .map(({ code, message }) => `m${machine}: status warns: ${code}: ${message}`),
    ];
  }
}

/** Checks that warn on every machine of a lab; those of `cluster` are the warnings of status. */
const USUAL: ReadonlySet<string> = new Set(["wireguard", "nameservers", "disk", "cluster"]);
/** Warnings of a cluster with one store, one copy of its data, and operations that faults made fail. */
const EXPECTED: ReadonlySet<string> = new Set(["store_single", "volume_single_copy", "operation_failed"]);

async function operations(cluster: Cluster) {
  return (await cluster.json<OperationList>(1, ["ops", "ls", "--limit", "60"])).operations;
}

async function ended(cluster: Cluster, allowed: readonly string[]): Promise<readonly string[]> {
  return (await operations(cluster))
    .filter(({ state }) => !["done", "failed", "aborted", ...allowed].includes(state))
    .map(({ operation, title, state }) => `${title} ${operation} is ${state}`);
}

/** What an operator does with an interrupted operation; it may not refuse. */
async function abortInterrupted(cluster: Cluster): Promise<readonly string[]> {
  const left = (await operations(cluster)).filter(({ state }) => state === "interrupted");
  const wrong: string[] = [];
  for (const { operation, title } of left) {
    const { exitCode, stdout, stderr } = await cluster.ctl(1, ["ops", "abort", operation, "--json"], {
      ok: ANY,
      timeoutMs: 180_000,
    });
    if (exitCode !== 0) wrong.push(`ops abort of ${title} ${operation}: ${exitCode} ${stdout} ${stderr}`);
  }
  return wrong;
}

async function instances(cluster: Cluster): Promise<readonly string[]> {
  const { instances: rows, unreachable } = await cluster.json<InstanceList>(1, ["ps"]);
  const committed = rows.filter((row) => row.committed);
  const wrong = rows
    .filter(({ state, committed }) => state !== "running" || !committed)
    .map(({ id, machine, state }) => `${id} on ${machine} is ${state}`);
  const kept = await each(cluster, async (machine) => {
    const count = async (folder: string) =>
      (
        await cluster.lab.sh(machine, ["sh", "-c", 'ls "$1" 2>/dev/null | wc -l', "sh", folder])
      ).stdout.trim();
    const here = String(committed.filter((row) => row.machine === `m${machine}`).length);
    const records = await count("/var/lib/ployz/instances");
    const networks = await count("/run/netns");
    return records === here && networks === here
      ? []
      : [`m${machine} has ${records} records and ${networks} networks for ${here} instances`];
  });
  return [...wrong, ...unreachable.map((id) => `${id} is not reachable`), ...kept];
}

/** From the store itself: `show` hides the values of variables. */
async function committedVersion(cluster: Cluster): Promise<string> {
  const head = (await storeContents(cluster)).heads.find(({ namespace }) => namespace === "prod");
  const version = head?.services.web?.spec.env.VERSION;
  return typeof version === "string" ? version : "";
}

async function rows(cluster: Cluster, collector: Collector): Promise<readonly string[]> {
  const expected = collector.expected().map(({ n }) => n);
  return each(cluster, async (machine) => {
    const missing = lost(expected, await rowsOf(cluster, machine));
    return missing.length === 0
      ? []
      : [
          `m${machine}: ${missing.length} of ${expected.length} rows: ${missing.slice(0, 5)} … ${missing.at(-1)}`,
        ];
  });
}

async function leases(cluster: Cluster): Promise<readonly string[]> {
  return (await storeContents(cluster)).leases.map(
    ({ scope, holder }) => `${scope} is held by ${holder.operation} on ${holder.machine}`,
  );
}

/** Commits of prod, newest first. */
export const history = async (cluster: Cluster): Promise<CommitHistory["commits"]> =>
  (await cluster.json<CommitHistory>(1, ["history", "prod"])).commits;
