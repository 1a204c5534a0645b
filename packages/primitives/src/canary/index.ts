import { inputParser } from "../change/input.ts";
import { specRevision } from "../manifest/revision.ts";
import { canariesIn, canaryName, canaryOf } from "../model/canary.ts";
import type { Commit, CommittedService } from "../model/commit.ts";
import { own } from "../model/own.ts";
import { serviceChange } from "../services/change.ts";
import { CanaryInput } from "./input.ts";

/** A canary may be named by its own name too, as `ps` shows it. */
const services = ({ services }: CanaryInput, commit: Commit): readonly string[] => {
  const names = services ?? canariesIn(commit.services);
  return [...new Set(names.map((name) => own(commit.services, name)?.canary?.of ?? name))];
};

/** No refusal: the same command may have been run before. */
function warnings(namespace: string, names: readonly string[], commit: Commit): readonly string[] {
  if (names.length === 0) return [`${namespace} has no canary`];
  return names
    .filter((name) => canaryOf(commit, name) === undefined)
    .map((name) => `${namespace}/${name} has no canary`);
}

/** The canaries of these services, by their names. */
const canariesOf = (names: readonly string[], commit: Commit): readonly string[] =>
  names.flatMap((name) => canaryOf(commit, name)?.name ?? []);

/** Deploys the version of a canary as a whole, and removes the canary. */
export const canaryFinish = serviceChange<CanaryInput>({
  name: "canary-finish",
  parse: inputParser(CanaryInput),
  names: services,
  wish: ({ namespace }, named, commit) => ({
    services: Object.fromEntries(
      Object.entries(named).map(([name, service]): [string, CommittedService] => {
        const found = commit.services[canaryName(name)];
        if (found?.canary?.of !== name) return [name, service];
        const { routes, placement } = found.canary;
        const spec = { ...found.spec, routes, placement };
        return [name, { ...service, revision: specRevision(spec), spec }];
      }),
    ),
    removes: canariesOf(Object.keys(named), commit),
    refusals: [],
    warnings: warnings(namespace, Object.keys(named), commit),
  }),
});

/** Removes a canary; the service beside it gets all requests again. */
export const canaryUndo = serviceChange<CanaryInput>({
  name: "canary-undo",
  parse: inputParser(CanaryInput),
  names: services,
  wish: ({ namespace }, named, commit) => ({
    removes: canariesOf(Object.keys(named), commit),
    refusals: [],
    warnings: warnings(namespace, Object.keys(named), commit),
  }),
});
