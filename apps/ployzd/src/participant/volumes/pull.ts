import type { Commands, ObservedSnapshot } from "@ployz/primitives/protocol";
import { PloyzError } from "../../error-codes.ts";
import type { Handlers } from "../handlers.ts";
import { commonBase } from "./common-snapshot.ts";
import { copiesOf, findCopy, meant, type Pool, sealed } from "./copies.ts";
import { observedSnapshot, type PullDeps, snapshotsOf } from "./deps.ts";
import { type Copy, checkId, checkSnapshot, incomingDataset } from "./layout.ts";
import { ensureHolder, markIncoming, setAside, takeRetired } from "./moves.ts";
import { type Offered, partOf, type Run, transfersOf, type Wanted } from "./transfers.ts";

type Pull = Commands["volume.pull"];

/** How often a difference is sent beside another program that takes snapshots of the copy. */
const TRIES = 10;

/**
 * The receiving half of a transfer. Its start state decides the method, independent of earlier attempts. An interrupted transfer resumes
 * where ZFS keeps partial data; otherwise it leaves the copy unchanged.
 */
export function pullEffect(deps: PullDeps): Pick<Handlers, "volume.pull"> {
  const { storage, inTurn, self } = deps;
  const transfers = transfersOf(deps);

  return {
    "volume.pull": async (args, context) => {
      const started = performance.now();
      checkSnapshot(args.snapshot);
      checkId(args.source.id);
      const { signal } = context;
      const at = { done: 0 };
      const run: Run = { signal, at, tell: () => context.progress({ ...at }) };
      return inTurn(checkId(args.id), async () => {
        signal.throwIfAborted(); // it may have been aborted while it waited
        run.tell();
        const pool = await storage.ready();
        const [{ theirs }, copies] = await Promise.all([transfers.find(args, signal), copiesOf(pool)]);
        run.tell();
        const received = await receiveInto(pool, args, copies, theirs, run);
        return { ...received, ms: Math.round(performance.now() - started) };
      });
    },
  };

  async function receiveInto(
    pool: Pool,
    args: Pull["args"],
    copies: readonly Copy[],
    theirs: readonly ObservedSnapshot[],
    run: Run,
  ): Promise<Pick<Pull["out"], "bytes" | "base">> {
    const copy = meant(copies, args.id);
    const holder = copies.find(({ id, place }) => id === args.id && place === "incoming")?.holder;
    const ours =
      copy?.dataset === undefined ? [] : (await snapshotsOf(pool, copy.dataset.name)).map(observedSnapshot);
    const common = new Set(theirs.map(({ guid }) => guid));
    const whole = ours.findLast(({ guid }) => common.has(guid))?.guid === args.guid;
    if (copy?.place === "volumes") {
      if (ours.some(({ guid }) => guid === args.guid)) return { bytes: 0, base: args.snapshot };
      if (copy.state === "sealed") throw sealed(copy);
      throw new PloyzError({
        code: "volume_in_use",
        message: `volume ${args.id} is active on machine ${self}: it cannot receive a transfer`,
      });
    }
    const base = commonBase(ours, theirs, args.snapshot);
    const begun =
      copy?.place === "incoming" && (await partOf(pool, incomingDataset(pool.layout, args.id))) !== undefined;
    run.tell();
    if (copy?.dataset !== undefined && base === undefined && !begun)
      await setAside(pool, copy, copy.dataset, deps.now());
    const retired = copy?.place === "retired" && base !== undefined ? copy : undefined;
    run.tell();
    const offering = whole ? undefined : transfers.offer(into(pool, args), base, run);
    offering?.catch(() => {}); // reported where it is awaited
    await ensureHolder(pool, args, args.operation, retired, holder);
    run.tell();
    if (retired?.dataset !== undefined) await takeRetired(pool, retired, retired.dataset);
    run.tell();
    const goesOn = base !== undefined && copy?.place === "incoming" ? copy : undefined;
    try {
      const bytes = offering === undefined ? 0 : await beside(pool, args, { base, offering }, run);
      const wasRetired = retired?.retiredAt ?? goesOn?.wasRetired;
      await markIncoming(pool, args, args.operation, wasRetired, goesOn?.dataset);
      return { bytes, base: base?.name ?? null };
    } catch (error) {
      // The copy was written to since its newest snapshot.
      const now = await findCopy(pool, args.id);
      if (base === undefined || now?.dataset === undefined || !isModified(error)) throw error;
      await setAside(pool, now, now.dataset, deps.now());
      run.tell();
      const bytes = await transfers.receive(
        into(pool, args),
        await transfers.offer(into(pool, args), undefined, run),
        run,
      );
      await markIncoming(pool, args, args.operation, undefined, undefined);
      return { bytes, base: null };
    }
  }

  /** A snapshot that another program takes of the copy during the transfer makes ZFS refuse its end: the difference is sent again. */
  async function beside(
    pool: Pool,
    args: Pull["args"],
    { base, offering }: { readonly base: ObservedSnapshot | undefined; readonly offering: Promise<Offered> },
    run: Run,
  ): Promise<number> {
    const newest = async () => (await snapshotsOf(pool, incomingDataset(pool.layout, args.id))).at(-1)?.guid;
    if (base === undefined) return transfers.receive(into(pool, args), await offering, run);
    for (let tries = 1; ; tries++) {
      const before = await newest();
      try {
        return await transfers.receive(
          into(pool, args),
          await (tries === 1 ? offering : transfers.offer(into(pool, args), base, run)),
          run,
        );
      } catch (error) {
        if (run.signal.aborted || tries === TRIES || (await newest()) === before) throw error;
      }
    }
  }
}

const into = (pool: Pool, args: Pull["args"]): Wanted => ({
  ...args,
  pool,
  dataset: incomingDataset(pool.layout, args.id),
});

export function isModified(error: unknown): boolean {
  return error instanceof PloyzError && error.code === "destination_modified";
}
