import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import { normalise } from "../manifest/normalise.ts";
import type { Commit, Instance } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import { type DeployInput, parseDeploy } from "./input.ts";
import { type DeployFacts, observe } from "./observe.ts";
import { plan } from "./plan.ts";
import { refuse } from "./refuse.ts";
import { type DeployKinds, steps } from "./steps.ts";
import type { DeploySummary } from "./summary.ts";

/** What a deploy came to: `output` of its result. */
export type DeployResult = Omit<DeploySummary, "next"> & {
  readonly revision: number;
  /** Machines that do not answer or had not confirmed the new routes, and what that means. */
  readonly warnings: readonly string[];
};

/**
 * Makes a namespace what a manifest says: candidates start beside what runs, all of them have to be ready, one commit flips services
 * and routes together, and then the old instances drain. What is the same and lives is not touched.
 */
export const deployPrimitive: Primitive<PrimitivePorts, DeployInput, DeployFacts, DeployKinds, DeployResult> =
  {
    name: "deploy",
    version: 1,
    parse: parseDeploy,
    scope,
    observe,
    refuse,
    plan,
    steps,

    commit(_input, _facts, { basis, summary }, { operation, at, by, output }) {
      const { namespace, next } = summary as unknown as DeploySummary;
      const started = next.start.map(({ reserve, ...instance }): Instance => {
        const { address } = output(reserve) as DeployKinds["reserve"]["out"];
        return { ...instance, address };
      });
      const commit: Commit = {
        v: 1,
        namespace,
        operation,
        primitive: "deploy",
        at,
        by,
        services: next.services,
        jobs: next.jobs,
        instances: [...next.keep, ...started].sort(
          (a, b) => (a.service < b.service ? -1 : a.service > b.service ? 1 : 0) || a.slot - b.slot,
        ),
        volumes: next.volumes,
        routes: next.routes,
      };
      const expected = basis.find(({ key }) => key === `commit.${namespace}`)?.revision ?? 0;
      return { kind: "namespace", commit, expected };
    },

    result(_input, { summary, settle, warnings: foreseen }, { revision, output }) {
      const { next: _, ...told } = summary as unknown as DeploySummary;
      const met = settle.flatMap(({ id, kind }) => (kind === "publish" ? warningOf(id, output) : []));
      return { ...told, revision, warnings: [...foreseen, ...met] };
    },
  };

/**
 * The namespace, so that one deploy runs at a time; and each host and port that it routes, so that two namespaces cannot both find
 * one free and both take it. The namespace sorts first: its lease is the fence that machines see.
 */
function scope({ manifest }: DeployInput): readonly string[] {
  const { namespace, services } = normalise(manifest);
  const routed = Object.values(services).flatMap(({ routes }) =>
    routes.map((route) =>
      route.kind === "http" ? `route.${route.host.replace("*", "_any")}` : `listen.${route.listen}`,
    ),
  );
  return [...new Set([`deploy.${namespace}`, ...routed])].sort();
}

/** A publish step that is still owed has no output. */
function warningOf(step: string, output: (step: string) => Json): readonly string[] {
  try {
    const { warning } = output(step) as DeployKinds["publish"]["out"];
    return warning === undefined ? [] : [warning];
  } catch {
    return [];
  }
}
