import { errorBody } from "@ployz/errors";
import type { AdoptionReport } from "@ployz/primitives/client";
import { isFinal, programIn } from "@ployz/primitives/host";
import type {
  Commit,
  Instance,
  InstanceStart,
  InstanceVolume,
  ServiceSpec,
  Store,
} from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { headOrUnreadable } from "../state/records.ts";
import { type InstanceDeps, type InstanceVolumes, instanceSpec, removeInstance } from "./instances.ts";

/** The start arguments of a committed instance, as its operation had them, read back from the commit. */
export function committedStart(commit: Commit, instance: Instance): InstanceStart | undefined {
  const spec = commit.services[instance.service]?.spec;
  if (spec === undefined) return undefined;
  return {
    id: instance.id,
    namespace: commit.namespace,
    service: instance.service,
    slot: instance.slot,
    revision: instance.revision,
    operation: commit.operation,
    address: instance.address,
    kind: "service",
    ...(spec.image !== undefined && { image: spec.image }),
    ...(spec.bundle !== undefined && { bundle: spec.bundle }),
    ...programIn(spec),
    ...(instance.secrets !== undefined && { secrets: instance.secrets }),
    ...(spec.user !== undefined && { user: spec.user }),
    ...(spec.resources !== undefined && { resources: spec.resources }),
    ...(spec.workingDir !== undefined && { workingDir: spec.workingDir }),
    ...(spec.stopSignal !== undefined && { stopSignal: spec.stopSignal }),
    ...(spec.container !== undefined && { container: spec.container }),
    stopGraceMs: spec.stopGraceMs,
    ...(Object.keys(spec.volumes).length > 0 && { volumes: committedVolumes(commit, instance, spec) }),
  };
}

/** The volume ids that it was started with: the namespace's volumes may have new ids now. */
function committedVolumes(
  commit: Commit,
  instance: Instance,
  { volumes }: ServiceSpec,
): readonly InstanceVolume[] {
  return Object.entries(volumes).map(([name, target]) => {
    const id = instance.volumes?.[name];
    if (id === undefined) {
      throw new PloyzError({
        code: "volume_missing",
        message: `the commit has no id for volume ${name} of ${instance.id}`,
        hint: "deploy again",
      });
    }
    const volume =
      commit.volumes.find((one) => one.id === id) ?? commit.volumes.find((one) => one.name === name);
    return { id, target, scope: volume?.spec.scope ?? "single" };
  });
}

const hasDeadMount = (
  { volumes = {} }: Instance,
  startedAt: string | undefined,
  { remountedAt }: InstanceVolumes,
): boolean =>
  startedAt !== undefined &&
  Object.values(volumes).some((id) => Date.parse(startedAt) < (remountedAt(id) ?? 0));

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

/** Whether another machine may have taken over what the instance writes to. */
const mayBeTaken = ({ volumes }: Commit, instance: Instance): boolean =>
  volumes.some(
    ({ id, spec }) =>
      (spec.standby?.machines.length ?? 0) > 0 && Object.values(instance.volumes ?? {}).includes(id),
  );

/**
 * Compares this machine's committed instances with the running ones: keeps matching ones, restarts missing ones. Needs no store, except
 * for what writes to a volume with a standby: `confirmed` says that these are the last commits.
 */
export async function adoptCommitted(
  self: string,
  commits: readonly Commit[],
  deps: InstanceDeps,
  confirmed: boolean,
): Promise<AdoptionReport> {
  const report: Writable<AdoptionReport> = {
    at: new Date().toISOString(),
    adopted: [],
    recreated: [],
    removed: [],
    failed: [],
  };
  const mine = commits.flatMap((commit) =>
    commit.instances
      .filter((instance) => instance.machine === self)
      .map((instance) => ({ commit, instance })),
  );
  await deps.runtime.adopt();
  await Promise.all(
    mine.map(async ({ commit, instance }) => {
      try {
        await deps.reservations.restore(instance.id, instance.address);
        const { state, startedAt } = await deps.runtime.inspect(instance.id);
        const dead = state === "running" && hasDeadMount(instance, startedAt, deps.volumes);
        // Also keep one that an operation has stopped: only that operation may start it again.
        if ((state === "running" && !dead) || deps.stopped.has(instance.id)) {
          report.adopted.push(instance.id);
          return;
        }
        const start = committedStart(commit, instance);
        if (start === undefined) throw new Error(`the commit has no service ${instance.service}`);
        if (!confirmed && mayBeTaken(commit, instance))
          throw new PloyzError({
            code: "store_unavailable",
            message: `${instance.id} starts when the store answers: its volume has a standby, which may have been taken over`,
            hint: "ployzctl status",
          });
        if (dead) await deps.runtime.stop(instance.id);
        await deps.volumes.use(start, async () => {
          // Its id is its identity: what the machine has of it is it, also when a later commit changed what restarts nothing (`stop_grace`).
          if (state === "absent") await deps.runtime.create(await instanceSpec(start, deps));
          await deps.runtime.start(instance.id);
        });
        const was = dead ? "its volume had to be mounted again" : `it was ${state}`;
        report.recreated.push({ what: instance.id, why: state === "absent" ? "it was gone" : was });
      } catch (error) {
        report.failed.push({ what: instance.id, error: errorBody(error) });
      }
    }),
  );
  return report;
}

/** Removes only instances of ended operations: a live or interrupted operation resolves its own. */
export async function removeStrays(
  self: string,
  store: Store,
  deps: InstanceDeps,
): Promise<AdoptionReport["removed"]> {
  const listed = await deps.runtime.list();
  const strays = await Promise.all(
    listed.map(async ({ id, labels }) => {
      const { namespace, operation } = labels;
      if (namespace === undefined || operation === undefined) return [];
      const summary = (await store.journals.summary(operation))?.value;
      if (summary === undefined || !isFinal(summary.state)) return [];
      // Read the head after the summary: an ended operation has committed before.
      const head = await headOrUnreadable(store, namespace);
      if (head === "unreadable") return [];
      if (head?.instances.some((instance) => instance.id === id && instance.machine === self) === true)
        return [];
      await removeInstance(id, deps);
      return [{ what: id, why: `operation ${operation} has ended (${summary.state}) without committing it` }];
    }),
  );
  return strays.flat();
}
