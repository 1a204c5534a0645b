import { errorBody } from "@ployz/errors";
import type { PrimitivePorts } from "../../engine/types.ts";
import { candidatesKey, runningKey } from "../../model/candidates.ts";
import type { Commit, JobSpec, ServiceSpec } from "../../model/commit.ts";
import { isMember } from "../../model/machine.ts";
import { isOfNamespace } from "../../model/secret.ts";
import { ask, LOOK } from "../../ports/machines.ts";
import type { Store } from "../../ports/store.ts";
import type { ChangeFacts, Found, Head, MachineFact } from "./facts.ts";
import { findBundles, findDigests } from "./images.ts";

/**
 * Reads the heads and observes every machine. `namespaces`: first the one that changes; none where only machines do. A machine that does not answer is a fact, not a failure.
 * @throws PloyzError `record_unreadable` when the last commit of one of the namespaces cannot be read, or a machine that it names.
 */
export async function observeCluster(
  namespaces: readonly string[],
  { store, machines }: PrimitivePorts,
  signal: AbortSignal,
): Promise<Omit<ChangeFacts, "content">> {
  const [target] = namespaces;
  const [heads, members, secrets, candidates, certificates, running] = await Promise.all([
    store.commits.heads(),
    observeMembers(namespaces, { store, machines }, signal),
    store.facts.list("secret"),
    target === undefined ? undefined : store.facts.get(candidatesKey(target)),
    store.facts.list("certificate"),
    store.facts.list("running"),
    ...namespaces.map((namespace) => store.commits.last(namespace)),
  ]);
  const commits = heads.map(({ value, revision }) => ({ commit: value, revision }));
  const head = commits.find(({ commit }) => commit.namespace === target);
  const used = commits.filter(({ commit }) => namespaces.includes(commit.namespace));
  await readMissing(used, members, store);
  return {
    ...(head !== undefined && { head }),
    others: commits.filter((other) => other !== head),
    machines: members,
    candidates: candidates?.revision ?? 0,
    certificates: certificates.flatMap(({ value }) => (value.removed === true ? [] : [value])),
    running: new Set(
      running
        .filter(({ key }) => target !== undefined && key.startsWith(runningKey(target, "")))
        .flatMap(({ value }) => value.instances.map(({ id }) => id)),
    ),
    secrets: secrets.flatMap(({ value, revision }) =>
      isOfNamespace(value) ? [{ record: value, revision }] : [],
    ),
  };
}

/**
 * Reads the record of each machine that a commit names and that is not listed as a member: one that cannot be read is skipped in lists,
 * and must not pass for a machine that has left, whose instances would start elsewhere.
 */
async function readMissing(
  heads: readonly Head[],
  members: readonly MachineFact[],
  { facts }: Store,
): Promise<void> {
  const known = new Set(members.map(({ record }) => record.id));
  const named = heads.flatMap(({ commit }) => [...commit.instances, ...commit.volumes]);
  const missing = new Set(named.flatMap(({ machine }) => (known.has(machine) ? [] : [machine])));
  await Promise.all([...missing].map((machine) => facts.get(`machine.${machine}`)));
}

/** Observes every machine, for these namespaces. */
export async function observeMembers(
  namespaces: readonly string[],
  { store, machines }: PrimitivePorts,
  signal: AbortSignal,
): Promise<readonly MachineFact[]> {
  const facts = await store.facts.list("machine");
  const members = facts
    .map((fact) => ({ record: fact.value, revision: fact.revision }))
    .filter(({ record }) => isMember(record))
    .sort((left, right) => (left.record.id < right.record.id ? -1 : 1));
  const found = members.map(async ({ record, revision }): Promise<MachineFact> => {
    try {
      const options = { ...LOOK, signal };
      const observation = await ask(() =>
        machines.call(record.id, "machine.observe", { namespaces }, options),
      );
      return { record, revision, observation };
    } catch (error) {
      signal.throwIfAborted();
      return { record, revision, error: errorBody(error) };
    }
  });
  return Promise.all(found);
}

/** The same for a change that ships neither images nor bundles. */
export const observeWithoutContent = async (
  namespaces: readonly [target: string, ...sources: string[]],
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<ChangeFacts> => ({ ...(await observeCluster(namespaces, ports, signal)), content: new Map() });

/** The machines that have the images and bundles of these specs. */
export async function findContent(
  specs: readonly (ServiceSpec | JobSpec)[],
  machines: readonly MachineFact[],
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Found>> {
  const answering = machines.filter(({ observation }) => observation !== undefined);
  const lookup = { machines: ports.machines, signal };
  const wanted = new Map(specs.flatMap(({ image }) => (image ? [[image.digest, image.ref] as const] : [])));
  const digests = [...new Set(specs.flatMap(({ bundle }) => bundle?.digest ?? []))];
  const [images, bundles] = await Promise.all([
    findDigests(wanted, answering, lookup),
    findBundles(digests, answering, lookup),
  ]);
  return new Map([...images, ...bundles]);
}

export const specsOf = ({
  services,
  jobs,
}: Pick<Commit, "services" | "jobs">): readonly (ServiceSpec | JobSpec)[] => [
  ...Object.values(services).map(({ spec }) => spec),
  ...Object.values(jobs).map(({ spec }) => spec),
];
