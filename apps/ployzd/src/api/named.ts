import { unknownName } from "@ployz/primitives/client";
import type { Commit, Volume } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** What a reader names must exist: an empty list would hide a misspelt name. Errors have the nearest name. */
type Heads = readonly { readonly commit: Commit }[];

/** @throws PloyzError `no_such_namespace`. */
export function needNamespace(heads: Heads, namespace: string): Commit {
  const live = heads.map(({ commit }) => commit).filter(({ removed }) => !removed);
  const names = live.map((commit) => commit.namespace);
  return live.find((commit) => commit.namespace === namespace) ?? none("namespace", namespace, names);
}

/** A namespace, or a service or job of it. @throws PloyzError `no_such_namespace`, `no_such_service`. */
export function needTarget(heads: Heads, namespace: string, service: string | undefined): void {
  const { services, jobs } = needNamespace(heads, namespace);
  if (service === undefined) return;
  const names = [...Object.keys(services), ...Object.keys(jobs)];
  if (!names.includes(service)) none("service", service, names, namespace);
}

/** @throws PloyzError `no_such_namespace`, `no_such_volume`. */
export function needVolume(heads: Heads, namespace: string, volume: string): Volume {
  const { volumes } = needNamespace(heads, namespace);
  const names = volumes.map(({ name }) => name);
  return volumes.find(({ name }) => name === volume) ?? none("volume", volume, names, namespace);
}

function none(...args: Parameters<typeof unknownName>): never {
  throw new PloyzError(unknownName(...args));
}
