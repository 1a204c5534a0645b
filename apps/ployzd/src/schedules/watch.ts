import { errorBody } from "@ployz/errors";
import { allEntries, type ScheduleEntry } from "@ployz/primitives/host";
import {
  CLUSTER_SCHEDULES,
  type ClusterSchedule,
  type Commit,
  type ScheduleRecord,
  scheduleKey,
} from "@ployz/primitives/protocol";
import type { Logger } from "pino";
import { headOrUnreadable, type Records } from "../state/records.ts";
import { waitFor } from "./claims.ts";
import { type FireDeps, fire } from "./fire.ts";

export interface WatchDeps extends FireDeps {
  readonly mirror: Pick<Records, "facts" | "onChange">;
  readonly log: Pick<Logger, "warn">;
  heads(): readonly Commit[];
  /** Members that fire ticks. */
  machines(): readonly string[];
}

const RETRY_MS = 1_000;
/** Timers know nothing of a clock that was set, and take no more than 24 days. */
const LONGEST_MS = 60_000;
/** Ticks that are held are looked at again, unless their record changes before. */
const HOLD_MS = 10_000;
/** A namespace that is not known here yet may have just been deployed. */
const ORPHAN_MS = 60_000;

/** Fires the ticks of all schedules, as every machine does: who writes the claim runs it. One timer for the next tick, and none without schedules. */
export function watchSchedules(deps: WatchDeps): void {
  const { mirror, signal, log, now, self } = deps;
  const busy = new Set<string>();
  const retryAt = new Map<string, number>();
  const held = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const records = () =>
    new Map(mirror.facts("schedule").map(({ key, value }) => [key as string, value as ScheduleRecord]));
  const entries = () =>
    allEntries(
      deps.heads(),
      mirror.facts("cluster-schedule").map(({ value }) => value as ClusterSchedule),
    );

  function arm(): void {
    clearTimeout(timer);
    if (signal.aborted) return;
    const known = records();
    const machines = deps.machines();
    const waits = entries().flatMap((entry) => {
      const key = scheduleKey(entry.namespace, entry.name);
      if (busy.has(key)) return [];
      const record = known.get(key);
      const same = record?.schedule === entry.hash ? record : undefined;
      const wait = waitFor(entry, same, { now: now(), self, machines });
      return wait === undefined
        ? []
        : [{ entry, key, wait: Math.max(wait, Math.min((retryAt.get(key) ?? 0) - now(), HOLD_MS)) }];
    });
    for (const { entry, key, wait } of waits) if (wait <= 0) begin(entry, key);
    const later = waits.filter(({ wait }) => wait > 0).map(({ wait }) => wait);
    if (later.length > 0) timer = setTimeout(arm, Math.min(...later, LONGEST_MS));
  }

  const failed = (schedule: string) => (error: unknown) => {
    if (!signal.aborted && errorBody(error).code !== "store_unavailable")
      log.warn({ err: error, schedule }, "schedule");
  };

  function begin(entry: ScheduleEntry, key: string): void {
    busy.add(key);
    let retryMs = RETRY_MS;
    void fire(entry, deps)
      .then(({ running, held: isHeld }) => {
        void running?.catch(failed(key));
        if (isHeld === undefined) return;
        retryMs = HOLD_MS;
        held.add(key);
      })
      .catch(failed(key))
      .finally(() => {
        busy.delete(key);
        retryAt.set(key, now() + retryMs);
        arm();
      });
  }

  /** Removes records of schedules that are gone: by the store, since a mirror that catches up has facts whose commits are still to come. */
  async function tidy(): Promise<void> {
    const keysOf = (all: readonly ScheduleEntry[]) =>
      new Set<string>(all.map(({ namespace, name }) => scheduleKey(namespace, name)));
    const wanted = keysOf(entries());
    const orphans = mirror
      .facts("schedule")
      .filter(({ key, value }) => !wanted.has(key) && now() - Date.parse(value.decided) > ORPHAN_MS);
    if (orphans.length === 0) return;
    const own = (await deps.store.facts.list("cluster-schedule")).map(({ value }) => value);
    for (const { key, revision } of orphans) {
      const namespace = key.split(".")[1] ?? CLUSTER_SCHEDULES;
      const head =
        namespace === CLUSTER_SCHEDULES ? undefined : await headOrUnreadable(deps.store, namespace);
      if (head === "unreadable" || keysOf(allEntries(head === undefined ? [] : [head], own)).has(key))
        continue;
      await deps.store.facts.remove(key as `schedule.${string}`, revision);
    }
  }

  const forget = mirror.onChange((change) => {
    if (change.type === "fact" && held.delete(change.key)) retryAt.delete(change.key);
    const planned = change.type === "fact" && change.key.startsWith("cluster-schedule.");
    if (change.type === "head" || planned) tidy().catch(failed("schedule"));
    if (
      change.type !== "applied" &&
      (change.type !== "fact" || planned || change.key.startsWith("schedule."))
    )
      arm();
  });
  arm();
  signal.addEventListener(
    "abort",
    () => {
      clearTimeout(timer);
      forget();
    },
    { once: true },
  );
}
