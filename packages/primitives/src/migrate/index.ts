import { asItIs, liveHead, noNamespace, noService, wishOf } from "../change/decide/as-it-is.ts";
import type { WantedVolume } from "../change/decide/desired.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { inputParser } from "../change/input.ts";
import { findContent, observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { Refusal } from "../engine/types.ts";
import { own } from "../model/own.ts";
import { Input, type MigrateInput } from "./input.ts";

/**
 * Moves a service with its volumes: copies while it runs, stops it for the last difference only, verifies, starts it on the other
 * machine, and commits placement, volumes and routes together. Until then the source serves again when something fails.
 */
export const migrate = changePrimitive<MigrateInput, ChangeFacts>({
  name: "migrate",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe({ namespace }, ports, signal) {
    const cluster = await observeCluster([namespace], ports, signal);
    const specs = Object.values(cluster.head?.commit.services ?? {}).map(({ spec }) => spec);
    return { ...cluster, content: await findContent(specs, cluster.machines, ports, signal) };
  },
  wish({ namespace, service, to, maxRounds = 5, maxDowntimeMs, bytesPerSecond }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(namespace, facts.head);
    if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
    const spec = own(head.commit.services, service)?.spec;
    if (spec === undefined)
      return wishOf(present, { refusals: [noService(namespace, service, Object.keys(present.services))] });
    const limits = {
      maxRounds,
      ...(maxDowntimeMs !== undefined && { maxDowntimeMs }),
      ...(bytesPerSecond !== undefined && { bytesPerSecond }),
    };
    const volumes = head.commit.volumes
      .filter(({ name }) => Object.hasOwn(spec.volumes, name))
      .map((volume): [string, WantedVolume] => [
        volume.name,
        { spec: volume.spec, source: { kind: "move", machine: to, ...limits } },
      ]);
    const refusals: Refusal[] = [];
    const unknown = unknownMachine("to", to, facts);
    if (unknown !== undefined) refusals.push(unknown);
    const many = spec.placement.kind !== "replicas" || spec.placement.count > 1;
    if (many && volumes.length === 0)
      refusals.push({
        code: "not_movable",
        message: `${namespace}/${service} runs on several machines`,
        hint: "say where it may run with constraints in the manifest, and deploy",
      });
    const moved = { ...present, volumes: Object.fromEntries(volumes), pins: { [service]: to } };
    return wishOf(moved, { refusals });
  },
});
