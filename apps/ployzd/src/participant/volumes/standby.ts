import type { Commands, ObservedSnapshot } from "@ployz/primitives/protocol";
import { standbyOf } from "@ployz/primitives/protocol";
import type { Dataset } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import type { Handlers } from "../handlers.ts";
import { commonBase } from "./common-snapshot.ts";
import { copiesOf, findCopy, meant, missing, type Pool, sealed } from "./copies.ts";
import { destroyUnlessNeeded } from "./dependents.ts";
import {
  checkMine,
  checkUnused,
  observedSnapshot,
  type PullDeps,
  snapshotName,
  snapshotsOf,
} from "./deps.ts";
import { ensureParent, snapshotMissing } from "./effects.ts";
import {
  type Copy,
  checkId,
  checkNamespace,
  checkSnapshot,
  identityMarks,
  incomingDataset,
  MARK,
  retiredDataset,
  volumeDataset,
} from "./layout.ts";
import { close, open, specProperties, unmark } from "./mount.ts";
import { ensureHolder, setAside, toRetired } from "./moves.ts";
import { isModified } from "./pull.ts";
import { isOperations } from "./retention.ts";
import { discard, dropEmptyHolder } from "./settle.ts";
import { type Run, transfersOf } from "./transfers.ts";

type Follow = Commands["volume.follow"];
type Names = "volume.follow" | "volume.unfollow" | "volume.takeover" | "volume.giveback" | "volume.standdown";

/** A source without power sends nothing, and says nothing. */
const SILENT_MS = 60_000;

/**
 * A standby is a retired copy with the mark `ployz:standby`. It is received into in its place, where nothing mounts it and no instance
 * starts on it: ZFS applies a difference whole or not at all. Its first copy arrives as an incoming one, and is renamed when it is whole.
 */
export function standbyEffects(deps: PullDeps): Pick<Handlers, Names> {
  const { storage, runtime, inTurn, self } = deps;
  const transfers = transfersOf(deps);
  /** Transfers that run, by the volume's id. */
  const running = new Map<string, AbortController>();

  return {
    "volume.follow": async (args, context) => {
      const started = performance.now();
      checkSnapshot(args.snapshot);
      checkId(args.source.id);
      return inTurn(checkId(args.id), async () => {
        const giveWay = new AbortController();
        running.set(args.id, giveWay);
        const silence = silent(giveWay, args.source.machine);
        const signal = AbortSignal.any([context.signal, giveWay.signal]);
        const at = { done: 0 };
        const tell = () => {
          silence.refresh();
          context.progress({ ...at });
        };
        try {
          signal.throwIfAborted();
          tell();
          const pool = await storage.ready();
          const [{ theirs, wanted }, copies] = await Promise.all([
            transfers.find(args, signal),
            copiesOf(pool),
          ]);
          const received = await receiveInto(pool, args, copies, theirs, { signal, at, tell });
          await pool.zfs.setProperties(retiredDataset(pool.layout, args.id), {
            user: { [MARK.standby]: wanted.createdAt },
          });
          return { ...received, ms: Math.round(performance.now() - started) };
        } finally {
          silence.end();
          running.delete(args.id);
        }
      });
    },

    "volume.unfollow": ({ id, operation }) =>
      inTurn(checkId(id), async () => {
        const pool = await storage.ready();
        for (const copy of await copiesOf(pool))
          if (copy.id === id && copy.operation === operation && isFirst(copy)) await discard(pool, copy);
        return null;
      }),

    "volume.takeover": ({ spec, operation, snapshot, guid, ...identity }) => {
      running.get(identity.id)?.abort(new Error("the standby becomes the volume"));
      return inTurn(checkId(identity.id), async () => {
        const pool = await storage.ready();
        const { zfs, layout } = pool;
        const { id, namespace } = identity;
        const copy = await findCopy(pool, id);
        if (copy?.dataset === undefined) throw missing(id, self);
        const name = volumeDataset(layout, namespace, id);
        const { guid: own } = copy.dataset; // the rename keeps it
        if (copy.place === "volumes") {
          checkMine(copy, operation, identity);
          if (copy.state !== "active") throw sealed(copy);
        } else {
          if (copy.place !== "retired" || copy.standby === undefined) throw sealed(copy);
          await zfs.abortReceive(copy.dataset.name);
          await checkWhole(pool, copy.dataset, checkSnapshot(snapshot), guid);
          await ensureParent(pool, namespace);
          const since = copy.wasRetired ?? copy.retiredAt ?? new Date(deps.now()).toISOString();
          await unmark(pool, copy.dataset, MARK.sealedBy, MARK.retiredHere);
          await zfs.setProperties(copy.dataset, {
            ...specProperties(spec),
            user: identityMarks(identity, operation, since),
          });
          await zfs.rename(copy.dataset.name, name);
        }
        const dataset = await zfs.getDataset(name, { userProperties: [MARK.standby, MARK.retiredAt] });
        await unmark(pool, dataset, MARK.standby, MARK.retiredAt);
        await open(pool, name, id);
        return { guid: own };
      });
    },

    "volume.giveback": ({ id, operation, snapshot, guid }) =>
      inTurn(checkId(id), async () => {
        const pool = await storage.ready();
        const copy = await findCopy(pool, id);
        const { dataset, wasRetired } = copy ?? {};
        if (copy?.place !== "volumes" || copy.operation !== operation) return null;
        if (dataset === undefined || wasRetired === undefined) return null;
        await checkUnused(runtime, id);
        await close(pool, dataset, id);
        const kept = (await snapshotsOf(pool, dataset.name)).find((one) => one.guid === guid);
        if (kept === undefined) throw snapshotMissing(id, snapshot, self);
        await pool.zfs.rollback(kept.name, { guid, destroyNewer: true });
        const at = new Date(kept.createdAt).toISOString();
        await pool.zfs.setProperties(dataset, { user: { [MARK.standby]: at } });
        await toRetired(pool, copy, { ...dataset, mounted: false }, wasRetired);
        return null;
      }),

    "volume.standdown": async ({ namespace, name, except, forget = [] }) => {
      checkNamespace(namespace);
      const pool = await storage.ready();
      const mine = (copy: Copy) => copy.namespace === namespace && copy.name === name;
      for (const { id } of (await copiesOf(pool)).filter(mine)) {
        await inTurn(id, async () => {
          const copy = meant(await copiesOf(pool), id);
          if (copy?.dataset === undefined || !mine(copy)) return;
          if (copy.place === "volumes")
            for (const snapshot of await snapshotsOf(pool, copy.dataset.name))
              if (forget.includes(standbyOf(snapshotName(snapshot)) ?? ""))
                await destroyUnlessNeeded(pool, snapshot);
          if (copy.standby === undefined || id === except) return;
          await standDown(pool, copy.dataset, deps.now());
        });
      }
      return null;
    },
  };

  async function receiveInto(
    pool: Pool,
    args: Follow["args"],
    copies: readonly Copy[],
    theirs: readonly ObservedSnapshot[],
    run: Run,
  ): Promise<Pick<Follow["out"], "bytes" | "base">> {
    const copy = meant(copies, args.id);
    if (copy !== undefined && copy.place !== "retired" && !isFirst(copy)) {
      throw new PloyzError({
        code: "volume_in_use",
        message: `the copy of ${args.namespace}/${args.name} on machine ${self} is ${copy.state}: it is no standby`,
        hint: "find the operation with ployzctl ops ls",
      });
    }
    if (copy?.place === "retired" && copy.dataset !== undefined) {
      const ours = (await snapshotsOf(pool, copy.dataset.name)).map(observedSnapshot);
      if (ours.some(({ guid }) => guid === args.guid)) return { bytes: 0, base: args.snapshot };
      const base = commonBase(ours, theirs, args.snapshot);
      const into = { ...args, pool, dataset: copy.dataset.name };
      if (base !== undefined) {
        try {
          const bytes = await transfers.receive(into, await transfers.offer(into, base, run), run);
          return { bytes, base: base.name };
        } catch (error) {
          if (!isModified(error)) throw error;
        }
      }
      await pool.zfs.abortReceive(copy.dataset.name);
      await setAside(pool, copy, copy.dataset, deps.now());
    }
    return { bytes: await first(pool, args, copies, run), base: null };
  }

  async function first(pool: Pool, args: Follow["args"], copies: readonly Copy[], run: Run): Promise<number> {
    const holder = copies.find(({ id, place }) => id === args.id && place === "incoming");
    const dataset = incomingDataset(pool.layout, args.id);
    await ensureHolder(pool, args, args.operation, undefined, holder?.holder, FIRST);
    const into = { ...args, pool, dataset };
    const kept = holder?.dataset === undefined ? [] : await snapshotsOf(pool, dataset);
    const whole = kept.some(({ guid }) => guid === args.guid);
    // What another operation has received in full is of a snapshot that may be gone by now.
    if (kept.length > 0 && !whole && holder?.dataset !== undefined)
      await pool.zfs.destroyDataset(dataset, { recursive: true, guid: holder.dataset.guid });
    const bytes = whole ? 0 : await transfers.receive(into, await transfers.offer(into, undefined, run), run);
    const received = await pool.zfs.getDataset(dataset);
    await pool.zfs.setProperties(received, {
      user: { ...identityMarks(args, args.operation), [MARK.standby]: new Date(deps.now()).toISOString() },
    });
    const copy = (await copiesOf(pool)).find(({ id, place }) => id === args.id && place === "incoming");
    if (copy === undefined) throw missing(args.id, self);
    await toRetired(pool, copy, received, new Date(deps.now()).toISOString());
    await dropEmptyHolder(pool, args.id);
    return bytes;
  }
}

/** The owner's mark of a first copy that is being received, which no move owns. */
const FIRST = { [MARK.standby]: "first" } as const;
const isFirst = ({ place, standby }: Copy): boolean =>
  place === "incoming" && standby === FIRST[MARK.standby];

/** The copy becomes an ordinary retired one, from now on. */
export async function standDown(pool: Pool, dataset: Dataset, now: number): Promise<void> {
  await pool.zfs.setProperties(dataset, { user: { [MARK.retiredAt]: new Date(now).toISOString() } });
  await unmark(pool, dataset, MARK.standby);
}

async function checkWhole(pool: Pool, dataset: Dataset, snapshot: string, guid: string): Promise<void> {
  const all = await snapshotsOf(pool, dataset.name);
  const newest = all.findLast(
    (one) => one.guid === guid || isOperations(one) || standbyOf(snapshotName(one)) !== undefined,
  );
  if (newest !== undefined && snapshotName(newest) === snapshot && newest.guid === guid) return;
  throw new PloyzError({
    code: "transfer_unverified",
    message: `the newest snapshot of ${dataset.name} is ${newest === undefined ? "none" : snapshotName(newest)}, not ${snapshot}`,
    hint: "run the same command again: it plans from what the copy holds now",
  });
}

/** Ends a transfer in which nothing happens: its coordinator may be without power as well. */
function silent(control: AbortController, machine: string) {
  const timer = setTimeout(() => {
    control.abort(
      new PloyzError({
        code: "deadline_exceeded",
        message: `nothing came from ${machine} for ${SILENT_MS / 1000} s`,
      }),
    );
  }, SILENT_MS);
  return { refresh: () => void timer.refresh(), end: () => clearTimeout(timer) };
}
