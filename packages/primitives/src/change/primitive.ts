import type { Primitive, PrimitivePorts, ReadOutput, Refusal } from "../engine/types.ts";
import { warningsOf } from "../engine/warnings.ts";
import type { Commit, Instance, Volume } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import type { Wish } from "./decide/desired.ts";
import { guardHostPorts } from "./decide/host-ports.ts";
import { guardRoutes } from "./decide/routes.ts";
import type { ChangeFacts } from "./observe/facts.ts";
import { planChange } from "./plan/plan.ts";
import type { ChangeSummary, NextVolume, ServiceSummary, VolumeSummary } from "./plan/summary.ts";
import { steps } from "./steps/instances.ts";
import type { ChangeKinds } from "./steps/kinds.ts";

/** The outcome of a change: `output` of its result. */
export type ChangeResult = Omit<ChangeSummary, "next"> & {
  readonly revision: number;
  /** Machines that do not answer or have not confirmed the new routes, and the consequence. */
  readonly warnings: readonly string[];
};

/** A primitive that changes a namespace. Its own part is the wish: the state it wants. */
export interface Change<In extends Json, Facts extends ChangeFacts, Sent>
  extends Pick<
    Primitive<PrimitivePorts, In, Facts, ChangeKinds, ChangeResult, ChangeSummary, Sent>,
    "name" | "version" | "parse" | "scope" | "observe"
  > {
  /** Pure. */
  wish(input: In, facts: Facts): Wish;
}

/** The rest is shared: candidates start beside the old instances, all become ready, one commit flips them, and the old ones drain. */
export function changePrimitive<In extends Json, Facts extends ChangeFacts, Sent = In>(
  change: Change<In, Facts, Sent>,
): Primitive<PrimitivePorts, In, Facts, ChangeKinds, ChangeResult, ChangeSummary, Sent> {
  const { wish, ...given } = change;
  return {
    ...given,
    plan: (input, facts, operation) => planChange(given.name, wish(input, facts), facts, operation),
    steps,

    commit(_input, facts, { basis, summary }, { operation, at, by, output }) {
      const { namespace, next } = summary;
      const started = next.start.map(({ reserve, ...instance }): Instance => {
        const { address } = output(reserve, "reserve");
        return { ...instance, address };
      });
      const before = next.before.map(({ guidFrom, ...snapshot }) => ({
        ...snapshot,
        guid: snapshotGuid(output(guidFrom, "volume.snapshot", "volume.final"), snapshot.id),
      }));
      const commit: Commit = {
        v: 1,
        namespace,
        operation,
        primitive: given.name,
        at,
        by,
        services: next.services,
        jobs: next.jobs,
        instances: [...next.keep, ...started].sort(
          (a, b) => (a.service < b.service ? -1 : a.service > b.service ? 1 : 0) || a.slot - b.slot,
        ),
        volumes: next.volumes.map((volume) => committedVolume(volume, output)),
        routes: next.routes,
        ...(before.length > 0 && { before }),
        ...(next.removed && { removed: next.removed }),
        ...(next.allowRoutesFrom !== undefined && { allowRoutesFrom: next.allowRoutesFrom }),
        ...(next.branchedFrom !== undefined && { branchedFrom: next.branchedFrom }),
        ...(next.lineage && { lineage: next.lineage }),
      };
      const expected = basis.find(({ key }) => key === `commit.${namespace}`)?.revision ?? 0;
      const guards = [guardRoutes(commit, facts), guardHostPorts(commit, facts)].flatMap((one) => one ?? []);
      const guard = (heads: readonly Commit[]) =>
        guards.reduce<Refusal | undefined>((found, one) => found ?? one(heads), undefined);
      return { kind: "namespace", commit, expected, ...(guards.length > 0 && { guard }) };
    },

    result(_input, { summary, settle, warnings: foreseen }, { revision, output, took }) {
      const { next: _, services, volumes, ...told } = summary;
      const published = settle.flatMap(({ id, kind }) => (kind === "publish" ? [id] : []));
      // Without those that never confirmed: they only delayed the operation.
      const confirmed = published.filter((step) => warningsOf(output(step)).length === 0);
      const known = Math.max(...confirmed.flatMap((step) => took(step)?.to ?? []));
      return {
        ...told,
        services: services.map((service) => {
          const old = onlyOne(service);
          const stopped = old === undefined ? undefined : took(`stop ${old}`);
          return { ...service, ...(stopped && known > 0 && { downtimeMs: known - stopped.from }) };
        }),
        volumes: volumes.map((volume) => ({ ...volume, ...copiedBy(volume, output) })),
        revision,
        warnings: [...foreseen, ...published.flatMap((step) => warningsOf(output(step)))],
      };
    },
  };
}

/** From a `volume.snapshot` step of many volumes, or a `volume.final` step of one. */
function snapshotGuid(out: ChangeKinds["volume.snapshot" | "volume.final"]["out"], id: string): string {
  return "guids" in out ? (out.guids[id] ?? "") : out.guid;
}

function committedVolume(
  { guidFrom, moved, guid, ...volume }: NextVolume,
  output: ReadOutput<ChangeKinds>,
): Volume {
  const told =
    guidFrom === undefined
      ? undefined
      : output(guidFrom, "volume.ensure", "volume.clone", "volume.admit", "volume.takeover");
  const evidence =
    moved !== undefined && "verifiedBy" in moved
      ? {
          from: moved.from,
          snapshot: moved.snapshot,
          guid: output(moved.verifiedBy, "volume.final").guid,
        }
      : moved;
  return { ...volume, guid: told?.guid ?? guid ?? "", ...(evidence && { moved: evidence }) };
}

/** The replaced instance, where one replaces one. */
function onlyOne({ instances }: ServiceSummary): string | undefined {
  const [old, ...more] = instances.filter(({ action }) => action !== "start");
  return more.length === 0 && old?.action === "stop" && instances.length === 2 ? old.id : undefined;
}

function copiedBy(
  { name, machine, action }: VolumeSummary,
  output: ReadOutput<ChangeKinds, undefined>,
): Pick<VolumeSummary, "copied"> {
  const before = output(`precopy ${name}@${machine}`, "volume.precopy");
  const last = output(`final ${name}@${machine}`, "volume.final");
  if (action !== "move" || before === undefined || last === undefined) return {};
  return { copied: { bytes: before.bytes + last.bytes, lastBytes: last.bytes } };
}
