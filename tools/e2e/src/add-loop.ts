import { expect } from "vitest";
import type { Cluster } from "./cluster.ts";
import { type Inventory, inventory, storeContents } from "./inventory.ts";
import { answers, daemonOf, isJournaled, killAt, lostOrDone, supervise } from "./kill.ts";
import { started } from "./started.ts";

/** m1 (the store) and m2 are members; every other machine of the lab is a target, each for one round. */
export interface AddLoop {
  /** Journaled events of an undisturbed add. */
  readonly length: number;
  /** m2 adds `target` and its daemon dies at event `k`; then the same add from `from`. With `staysDown`, before m2 is back. */
  round(target: number, k: number, options?: { from?: 1 | 2; staysDown?: boolean }): Promise<void>;
}

const identity = "/root/.ssh/id_ed25519";

/** Consumes `reference`: the machine added undisturbed, with which all others are compared. */
export async function addLoop(cluster: Cluster, reference: number): Promise<AddLoop> {
  const key = (await cluster.lab.sh(1, ["cat", identity])).stdout;
  await cluster.lab.sh(2, ["sh", "-c", `umask 077; cat >${identity}`], { input: key });
  const add = (target: number) => [
    "machine",
    "add",
    `root@m${target}`,
    "--identity",
    identity,
    "--accept-new-host-key",
  ];
  const clean = await started(cluster, 2, add(reference));
  expect((await clean.done).exitCode).toBe(0);
  const length = clean.events.filter(isJournaled).length;
  const members = [1, 2, reference];

  return {
    length,
    async round(target, k, { from = 1, staysDown = false } = {}) {
      const label = `m2 killed at event ${k} of ${length} while it added m${target}`;
      if (staysDown) await supervise(cluster, 2, "once");
      try {
        const daemon = await daemonOf(cluster, 2);
        const running = await started(cluster, 2, add(target));
        expect(await killAt(running, daemon, { k }), label).toBe(true);
        await lostOrDone(running);
        if (from === 2) await answers(cluster, 2);
        const asked = performance.now();
        await cluster.ctl(from, add(target), { timeoutMs: 180_000 });
        console.log(label, Math.round(performance.now() - asked), "ms");
      } finally {
        if (staysDown) await supervise(cluster, 2, "up");
      }
      await answers(cluster, 2);
      members.push(target);
      await asIfNothingHappened(cluster, members, label);
    },
  };
}

/** Every member exists once, with one subnet; all are peers of all; the store lists each; no operation runs; machines differ only in their peers. */
async function asIfNothingHappened(
  cluster: Cluster,
  members: readonly number[],
  label: string,
): Promise<void> {
  const until = performance.now() + 10_000;
  let wrong: readonly string[];
  do wrong = await wrongs(cluster, members);
  while (wrong.length > 0 && performance.now() < until);
  expect(wrong, label).toEqual([]);
  const { rows } = await cluster.json<{
    rows: readonly { from: string; to: string; rttMs: number | null }[];
  }>(1, ["machine", "rtt"]);
  expect(rows, label).toHaveLength(members.length * (members.length - 1));
  expect(
    rows.filter(({ rttMs }) => rttMs === null),
    label,
  ).toEqual([]);
}

async function wrongs(cluster: Cluster, members: readonly number[]): Promise<readonly string[]> {
  const [{ facts, leases, operations }, seen] = await Promise.all([
    storeContents(cluster),
    inventory(cluster, members),
  ]);
  const records = facts.flatMap(({ key, value }) =>
    key.startsWith("machine.") ? [value as { id: string; state: string; index: number; subnet: string }] : [],
  );
  const names = members.map((index) => `m${index}`);
  const subnets = records.map(({ subnet }) => subnet).sort();
  const claimed = facts.flatMap(({ key }) =>
    key.startsWith("subnet.") ? [key.slice("subnet.".length)] : [],
  );
  const wanted = {
    machines: [...names].sort().map((name) => `${name} active`),
    claims: records.map(({ index }) => String(index)).sort(),
    distinct: subnets.length,
    leases: [] as string[],
    unfinished: [] as string[],
  };
  const found = {
    machines: records.map(({ id, state }) => `${id} ${state}`).sort(),
    claims: claimed.sort(),
    distinct: new Set(subnets).size,
    leases: leases.map(({ scope }) => scope),
    unfinished: operations
      .filter(({ state }) => !["done", "failed", "aborted"].includes(state))
      .map(({ operation, state }) => `${operation} ${state}`),
  };
  const compared = Object.keys(wanted).flatMap((what) => {
    const [a, b] = [wanted, found].map((from) => JSON.stringify(from[what as keyof typeof wanted]));
    return a === b ? [] : [`${what}: ${b}, not ${a}`];
  });
  return [...compared, ...names.flatMap((name) => onMember(name, names, records, seen))];
}

function onMember(
  name: string,
  names: readonly string[],
  records: readonly { id: string; subnet: string }[],
  seen: Inventory,
): readonly string[] {
  const lines = seen[name] ?? [];
  const peers = lines.filter((line) => line.startsWith("peer "));
  const expected = records
    .filter(({ id }) => id !== name)
    .map(({ subnet }) => `peer ${subnet}`)
    .sort();
  const users = lines.filter((line) => line.startsWith("user "));
  const wantedUsers =
    name === "m1" ? [...names].sort().map((id) => `user ${id}, ${id === "m1" ? "store" : "machine"}`) : [];
  // The founder also holds the store, and m2 has coordinated: a target is compared with the reference, the first after them.
  const reference = seen[names[2] ?? ""] ?? [];
  const own = (all: readonly string[]) =>
    all.filter((line) => !line.startsWith("peer ") && !line.startsWith("data "));
  const different =
    name === "m1" || name === "m2"
      ? []
      : [
          ...own(lines).filter((line) => !own(reference).includes(line)),
          ...own(reference)
            .filter((line) => !own(lines).includes(line))
            .map((line) => `no ${line}`),
        ];
  return [
    ...(JSON.stringify(peers) === JSON.stringify(expected) ? [] : [`${name}: ${peers}, not ${expected}`]),
    ...(JSON.stringify(users.sort()) === JSON.stringify(wantedUsers)
      ? []
      : [`${name}: ${users}, not ${wantedUsers}`]),
    ...different.map((line) => `${name}: ${line}`),
  ];
}
