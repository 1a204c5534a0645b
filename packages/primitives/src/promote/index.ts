import { refuseCanaries } from "../canary/begin.ts";
import {
  asItIs,
  liveHead,
  noNamespace,
  noVolume,
  restsOn,
  sourceHead,
  stayAsOrdered,
  wishOf,
} from "../change/decide/as-it-is.ts";
import type { WantedVolume } from "../change/decide/desired.ts";
import { inputParser, withStandbyOf } from "../change/input.ts";
import { findContent, observeCluster, specsOf } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { Refusal } from "../engine/types.ts";
import type { Commit } from "../model/commit.ts";
import { Input, type PromoteInput } from "./input.ts";
import { promotedServices } from "./services.ts";

/**
 * Deploys into a namespace what another one runs: its services by digest, behind the target's own routes. Data stays the target's
 * but for volumes that are named to be replaced; their old content is kept, retired.
 */
export const promote = changePrimitive<PromoteInput, ChangeFacts>({
  name: "promote",
  version: 1,
  parse: inputParser(Input),
  scope: ({ target }) => [`deploy.${target}`],
  async observe({ source, target }, ports, signal) {
    const cluster = await observeCluster([target, source], ports, signal);
    const commits = [cluster.head, sourceHead(source, { ...cluster, content: new Map() })];
    const specs = commits.flatMap((head) => (head ? specsOf(head.commit) : []));
    return { ...cluster, content: await findContent(specs, cluster.machines, ports, signal) };
  },
  wish({ source, target, volumes = {} }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(target, head);
    const from = sourceHead(source, facts);
    if (source === target)
      return wishOf(present, {
        refusals: [{ code: "invalid_input", message: "target: is the source", hint: "name two namespaces" }],
      });
    if (from === undefined) return wishOf(present, { refusals: [noNamespace(source, facts)] });
    const services = promotedServices(from.commit, head?.commit);
    const kept = stayAsOrdered(services.services, head);
    const refusals: Refusal[] = [
      ...[head, from].flatMap(refuseCanaries),
      ...Object.keys(volumes)
        .filter((name) => !from.commit.volumes.some((volume) => volume.name === name))
        .map((name) => noVolume(source, name, from)),
    ];
    return wishOf(
      {
        ...present,
        services: kept.services,
        jobs: { ...present.jobs, ...from.commit.jobs },
        volumes: promotedVolumes(from.commit, head?.commit, volumes),
        jobsRun: true,
        renewSecrets: true,
        lineage: { kind: "promote", from: source, revision: from.revision },
      },
      { refusals, warnings: [...services.warnings, ...kept.warnings], basis: restsOn(from) },
    );
  },
});

function promotedVolumes(
  from: Commit,
  to: Commit | undefined,
  modes: NonNullable<PromoteInput["volumes"]>,
): Readonly<Record<string, WantedVolume>> {
  return Object.fromEntries(
    from.volumes.map(({ name, spec, id, machine }): [string, WantedVolume] => {
      const present = to?.volumes.find((volume) => volume.name === name);
      if (modes[name] !== "replace")
        return [name, { spec: present?.spec ?? withStandbyOf(spec, undefined), source: { kind: "keep" } }];
      // The same command again: it has just been done.
      const done =
        to?.primitive === "promote" &&
        to.lineage?.from === from.namespace &&
        present?.origin?.namespace === from.namespace &&
        present.origin.volume === name;
      if (done) return [name, { spec: present.spec, source: { kind: "keep" } }];
      const source = { namespace: from.namespace, volume: name, id, machine };
      return [
        name,
        {
          spec: present?.spec ?? withStandbyOf(spec, undefined),
          source: { kind: "copy", from: source, machine: present?.machine ?? machine },
        },
      ];
    }),
  );
}
