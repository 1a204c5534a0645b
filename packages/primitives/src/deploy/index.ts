import { repositoriesOf } from "../backups/observe.ts";
import { refuseCanaries, withCanaries } from "../canary/begin.ts";
import { branchOf, liveHead, stayAsOrdered } from "../change/decide/as-it-is.ts";
import { DEFAULT_HOLD_MS, type WantedVolume, type Wish } from "../change/decide/desired.ts";
import { withStandbyOf } from "../change/input.ts";
import { observeCluster, specsOf } from "../change/observe/cluster.ts";
import type { ChangeFacts, Found } from "../change/observe/facts.ts";
import { findBundles, findImages } from "../change/observe/images.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { PrimitivePorts } from "../engine/types.ts";
import { normalise } from "../manifest/normalise.ts";
import { missingCopies } from "./copies.ts";
import { type DeployInput, type DeployRequest, parseDeploy } from "./input.ts";
import { refuseRemovals } from "./removals.ts";
import { resolveSpecs } from "./resolve.ts";

export type DeployFacts = ChangeFacts & {
  /** What each image reference means, by reference. */
  readonly images: ReadonlyMap<string, Found>;
  /** Names of the repositories for backups, where the manifest names some. */
  readonly repositories: readonly string[];
};

/** Deploys a manifest. Unchanged live instances are not touched; volumes that the manifest leaves out stay. */
export const deployPrimitive = changePrimitive<DeployInput, DeployFacts, DeployRequest>({
  name: "deploy",
  version: 2,
  parse: parseDeploy,
  scope,
  observe,
  wish,
});

/**
 * The namespace, so that one deploy runs at a time; and each host and port that it routes, so that two namespaces cannot both find
 * one free and both take it. The namespace sorts first: its lease is the fence that machines see.
 */
function scope({ manifest }: DeployInput): readonly string[] {
  const { namespace, services } = normalise(manifest);
  const routed = Object.values(services).flatMap(({ routes, hostPorts = [] }) => [
    ...routes.map((route) =>
      route.kind === "http" ? `route.${route.host.replace("*", "_any")}` : `listen.${route.listen}`,
    ),
    ...hostPorts.map(({ port }) => `listen.${port}`),
  ]);
  return [...new Set([`deploy.${namespace}`, ...routed])].sort();
}

/** Reads only. */
async function observe(input: DeployInput, ports: PrimitivePorts, signal: AbortSignal): Promise<DeployFacts> {
  const { namespace, services, jobs, volumes } = normalise(input.manifest);
  const cluster = await observeCluster([namespace], ports, signal);
  const { head, machines } = cluster;
  const answering = machines.filter((machine) => machine.observation !== undefined);
  const workloads = [...Object.values(services), ...Object.values(jobs)];
  const refs = [...new Set(workloads.flatMap(({ image }) => image ?? []))].sort();
  const digests = [...new Set(Object.values(input.bundles))].sort();
  const lookup = { machines: ports.machines, signal };
  // What each image reference meant at the last commit.
  const committed = new Map(
    (head === undefined ? [] : specsOf(head.commit)).flatMap(({ image }) =>
      image ? [[image.ref, image.digest] as const] : [],
    ),
  );
  const backedUp = Object.values(volumes).some(({ backup }) => backup !== undefined);
  const [images, bundles, repositories] = await Promise.all([
    findImages(refs, answering, committed, { ...lookup, pull: input.pull ?? "missing" }),
    findBundles(digests, answering, lookup),
    backedUp ? repositoriesOf(ports) : [],
  ]);
  const names = { repositories: repositories.map(({ name }) => name) };
  return { ...cluster, ...names, images, content: contentOf(images, bundles) };
}

export function contentOf(
  images: ReadonlyMap<string, Found>,
  bundles: ReadonlyMap<string, Found>,
): ReadonlyMap<string, Found> {
  const byDigest = [...images.values()].flatMap((found) =>
    found.digest === undefined ? [] : [[found.digest, found] as const],
  );
  return new Map([...byDigest, ...bundles]);
}

function wish({ manifest, bundles, removals, canary }: DeployInput, facts: DeployFacts): Wish {
  const normal = normalise(manifest);
  const { namespace } = normal;
  const { services, jobs, refusals } = resolveSpecs(normal, bundles, facts.images);
  const kept = stayAsOrdered(services, liveHead(facts.head));
  const tried =
    canary === undefined
      ? { services: kept.services, refusals: refuseCanaries(liveHead(facts.head)) }
      : withCanaries({ services: kept.services, volumes: normal.volumes }, canary, liveHead(facts.head));
  const copies = missingCopies(normal, facts);
  // Where the manifest names none, those that `volume standby add` has made stay.
  const standbys = new Map(liveHead(facts.head)?.commit.volumes.map(({ name, spec }) => [name, spec]));
  const volumes = Object.entries(normal.volumes).map(([name, spec]): [string, WantedVolume] => [
    name,
    {
      spec: spec.standby ? spec : withStandbyOf(spec, standbys.get(name)),
      source: { kind: "keep" },
    },
  ]);
  return {
    desired: {
      namespace,
      services: tried.services,
      jobs,
      volumes: Object.fromEntries(volumes),
      dropped: [],
      jobsRun: true,
      renewSecrets: true,
      pins: {},
      holdMs: DEFAULT_HOLD_MS,
      ...(normal.allowRoutesFrom && { allowRoutesFrom: normal.allowRoutesFrom }),
      ...branchOf(liveHead(facts.head)),
    },
    refusals: [
      ...refusals,
      ...tried.refusals,
      ...copies.refusals,
      ...(removals === "refuse" && canary === undefined && tried.refusals.length === 0
        ? refuseRemovals(normal, facts.head)
        : []),
    ],
    warnings: [
      ...kept.warnings,
      ...copies.warnings,
      ...[...facts.images.values()].flatMap(({ warning }) => warning ?? []),
    ],
    basis: [],
    unresolved: new Set(Object.keys(normal.services).filter((name) => !Object.hasOwn(services, name))),
  };
}
