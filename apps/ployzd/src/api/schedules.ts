import type { ScheduleDocument, ScheduleList, ScheduleRow } from "@ployz/primitives/client";
import { allEntries, nextTick, presentSummary, type ScheduleEntry } from "@ployz/primitives/host";
import {
  CLUSTER_SCHEDULES,
  checkLabel,
  type ScheduleRecord,
  type ScheduleRun,
  scheduleKey,
} from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { printable } from "../operations/request.ts";
import { needNamespace } from "./named.ts";
import type { ApiRoutes } from "./router.ts";

type Routes = "GET /v1/schedules" | "POST /v1/schedules/:ns/:name";

export function scheduleRoutes(daemon: Daemon): Pick<ApiRoutes["json"], Routes> {
  return {
    "GET /v1/schedules": async ({ query }): Promise<ScheduleList> => {
      const member = daemon.member();
      const { namespace } = query;
      const schedules = await scheduleRows(member, namespace);
      if (namespace !== undefined && namespace !== CLUSTER_SCHEDULES && schedules.length === 0)
        needNamespace(member.heads(), namespace);
      return { kind: "schedules", schedules };
    },
    "POST /v1/schedules/:ns/:name": async ({ params, body }) => {
      const { paused, by } = await body();
      return setPaused(daemon.member(), params.ns, params.name, { paused, by: printable(by) });
    },
  };
}

const entriesOf = async ({
  heads,
  store,
}: Pick<Member, "heads" | "store">): Promise<readonly ScheduleEntry[]> =>
  allEntries(
    heads().map(({ commit }) => commit),
    (await store.facts.list("cluster-schedule")).map(({ value }) => value),
  );

/** Every schedule, with the state of its last operation. */
export async function scheduleRows(
  member: Pick<Member, "heads" | "store">,
  namespace?: string,
): Promise<readonly ScheduleRow[]> {
  const entries = (await entriesOf(member)).filter(
    (entry) => namespace === undefined || entry.namespace === namespace,
  );
  if (entries.length === 0) return [];
  const [facts, leases] = await Promise.all([
    member.store.facts.list("schedule"),
    member.store.leases.list(),
  ]);
  const held = new Set(leases.map(({ scope }) => scope));
  const records = new Map(facts.map(({ key, value }) => [key as string, value]));
  const rows = entries.map(async (entry): Promise<ScheduleRow> => {
    const record = records.get(scheduleKey(entry.namespace, entry.name));
    const run = await presentRun(record?.run, member, held);
    return rowOf(entry, record, run);
  });
  return (await Promise.all(rows)).sort((a, b) =>
    `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1,
  );
}

function rowOf(
  { namespace, name, schedule, hash, asked, offsetMs = 0 }: ScheduleEntry,
  record: ScheduleRecord | undefined,
  last: ScheduleRun | undefined,
): ScheduleRow {
  const same = record?.schedule === hash ? record : undefined;
  const next = same === undefined ? undefined : nextTick(schedule, Date.parse(same.decided));
  const { paused } = record ?? {};
  return {
    ...{ namespace, name, schedule, ...asked() },
    missed: same?.missed ?? [],
    ...(paused && { paused }),
    ...(paused === undefined && next !== undefined && { next: new Date(next + offsetMs).toISOString() }),
    ...(last && { last }),
    ...(same?.before && last !== undefined && last.endedAt === undefined && { before: same.before }),
  };
}

/** As the journal tells it: the machine that fired it may have died before it could. */
async function presentRun(
  run: ScheduleRun | undefined,
  { store }: Pick<Member, "store">,
  held: ReadonlySet<string>,
): Promise<ScheduleRun | undefined> {
  if (run === undefined || run.endedAt !== undefined) return run;
  const summary =
    run.operation === undefined ? undefined : (await store.journals.summary(run.operation))?.value;
  if (summary === undefined) return { ...run, state: run.waitsFor === undefined ? "claimed" : "waiting" };
  const { state, error, endedAt } = presentSummary(summary, held);
  return { ...run, state, ...(error && { error }), ...(endedAt !== undefined && { endedAt }) };
}

async function setPaused(
  member: Member,
  namespace: string,
  name: string,
  { paused, by }: { readonly paused: boolean; readonly by: string },
): Promise<ScheduleDocument> {
  const problem = namespace === CLUSTER_SCHEDULES ? undefined : checkLabel("namespace", namespace);
  if (problem !== undefined) throw new PloyzError(problem);
  const entries = (await entriesOf(member)).filter((entry) => entry.namespace === namespace);
  const entry = entries.find((one) => one.name === name);
  if (entry === undefined) {
    if (namespace !== CLUSTER_SCHEDULES) needNamespace(member.heads(), namespace);
    throw noSchedule(
      namespace,
      name,
      entries.map((one) => one.name),
    );
  }
  const key = scheduleKey(namespace, name);
  for (;;) {
    const present = await member.store.facts.get(key);
    const at = new Date().toISOString();
    const known = present?.value ?? { schedule: entry.hash, decided: at, missed: [] };
    if ((known.paused !== undefined) === paused)
      return { kind: "schedule", changed: false, ...rowOf(entry, known, known.run) };
    const { paused: _, ...rest } = known;
    // Ticks of the time in which it was paused are not made up for.
    const value = paused ? { ...known, paused: { at, by } } : { ...rest, decided: at };
    const written = await member.store.facts.put(key, value, present?.revision ?? 0);
    if (written.ok) return { kind: "schedule", changed: true, ...rowOf(entry, value, value.run) };
  }
}

const noSchedule = (namespace: string, name: string, known: readonly string[]) =>
  new PloyzError({
    code: "no_such_schedule",
    message: `${namespace === CLUSTER_SCHEDULES ? "the cluster" : namespace} has no schedule ${name}`,
    hint: known.length > 0 ? `it has ${known.join(", ")}` : "list them: ployzctl schedule ls",
  });
