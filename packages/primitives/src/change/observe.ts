import type { PrimitivePorts } from "../engine/types.ts";
import { normalise } from "../manifest/normalise.ts";
import type { Commit } from "../model/commit.ts";
import { type ErrorBody, errorBody } from "../model/error.ts";
import type { MachineRecord } from "../model/machine.ts";
import type { MachineObservation } from "../participant/commands.ts";
import { ask, type Found, findBundles, findImages } from "./images.ts";
import type { DeployInput } from "./input.ts";

/** How long a machine may take to say what it runs; one that does not is planned around. */
const OBSERVE_MS = 3_000;

export type MachineFact = {
  readonly record: MachineRecord;
  /** Revision of the fact `machine.<id>`. */
  readonly revision: number;
  /** Absent when it did not answer; then `error` says why. */
  readonly observation?: MachineObservation;
  readonly error?: ErrorBody;
};

export type DeployFacts = {
  /** The namespace as it is; absent before the first deploy. */
  readonly head?: { readonly commit: Commit; readonly revision: number };
  /** The other namespaces. */
  readonly others: readonly Commit[];
  /** Active members, by id. */
  readonly machines: readonly MachineFact[];
  /** By reference. */
  readonly images: ReadonlyMap<string, Found>;
  /** By digest. */
  readonly bundles: ReadonlyMap<string, Found>;
};

/** Reads only. Machines that do not answer are part of what is found, not a failure. */
export async function observe(
  input: DeployInput,
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<DeployFacts> {
  const { namespace, services, jobs } = normalise(input.manifest);
  const [heads, facts] = await Promise.all([ports.store.commits.heads(), ports.store.facts.list("machine")]);
  const commits = heads.map((entry) => ({
    commit: entry.value as unknown as Commit,
    revision: entry.revision,
  }));
  const head = commits.find(({ commit }) => commit.namespace === namespace);

  const machines = await Promise.all(
    facts
      .map((fact) => ({ record: fact.value as unknown as MachineRecord, revision: fact.revision }))
      .filter(({ record }) => record.state === "active")
      .sort((left, right) => (left.record.id < right.record.id ? -1 : 1))
      .map(async ({ record, revision }): Promise<MachineFact> => {
        try {
          const observation = await ask(() =>
            ports.machines.call(
              record.id,
              "machine.observe",
              { namespaces: [namespace] },
              { timeoutMs: OBSERVE_MS, signal },
            ),
          );
          return { record, revision, observation };
        } catch (error) {
          signal.throwIfAborted();
          return { record, revision, error: errorBody(error) };
        }
      }),
  );

  const answering = machines.filter((machine) => machine.observation !== undefined);
  const workloads = [...Object.values(services), ...Object.values(jobs)];
  const refs = [...new Set(workloads.flatMap(({ image }) => image ?? []))].sort();
  const digests = [...new Set(Object.values(input.bundles))].sort();
  const lookup = { machines: ports.machines, signal };
  const [images, bundles] = await Promise.all([
    findImages(refs, answering, committedDigests(head?.commit), { ...lookup, pull: input.pull ?? "missing" }),
    findBundles(digests, answering, lookup),
  ]);
  return {
    ...(head !== undefined && { head }),
    others: commits.filter(({ commit }) => commit.namespace !== namespace).map(({ commit }) => commit),
    machines,
    images,
    bundles,
  };
}

/** What each image reference meant at the last commit. */
function committedDigests(head: Commit | undefined): ReadonlyMap<string, string> {
  const specs = [...Object.values(head?.services ?? {}), ...Object.values(head?.jobs ?? {})];
  return new Map(specs.flatMap(({ spec }) => (spec.image ? [[spec.image.ref, spec.image.digest]] : [])));
}
