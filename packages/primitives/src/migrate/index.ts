import { asItIs, liveHead, noNamespace, noService, wishOf } from "../change/decide/as-it-is.ts";
import type { WantedVolume } from "../change/decide/desired.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { inputParser } from "../change/input.ts";
import { findContent, observeCluster } from "../change/observe/cluster.ts";
import { observeSnapshots } from "../change/observe/snapshots.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { Refusal } from "../engine/types.ts";
import type { VolumeSpec } from "../model/commit.ts";
import { own } from "../model/own.ts";
import { fromStandbys, type MigrateFacts } from "./from-standby.ts";
import { Input, type MigrateInput } from "./input.ts";

/**
 * Moves a service with its volumes: copies while it runs, stops it for the last difference only, verifies, starts it on the other
 * machine, and commits placement, volumes and routes together. Until then the source serves again when something fails.
 */
export const migrate = changePrimitive<MigrateInput, MigrateFacts>({
  name: "migrate",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe({ namespace, to, fromStandby }, ports, signal) {
    const cluster = await observeCluster([namespace], ports, signal);
    const specs = Object.values(cluster.head?.commit.services ?? {}).map(({ spec }) => spec);
    const standbys = fromStandby
      ? (cluster.head?.commit.volumes ?? []).map(({ id }) => ({ id, machine: to }))
      : [];
    const [content, snapshots] = await Promise.all([
      findContent(specs, cluster.machines, ports, signal),
      observeSnapshots(standbys, ports, signal),
    ]);
    return { ...cluster, content, snapshots };
  },
  wish(input, facts) {
    const { namespace, service, to, maxRounds = 5, maxDowntimeMs, bytesPerSecond } = input;
    const head = liveHead(facts.head);
    const present = asItIs(namespace, facts.head);
    if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
    const spec = own(head.commit.services, service)?.spec;
    if (spec === undefined)
      return wishOf(present, { refusals: [noService(namespace, service, Object.keys(present.services))] });
    if (input.fromStandby) {
      const unknown = unknownMachine("to", to, facts);
      if (unknown !== undefined) return wishOf(present, { refusals: [unknown] });
      const { refusals, warnings, ...taken } = fromStandbys(input, head, facts);
      // Without a copy to take over, all further refusals would only be consequences.
      const possible = refusals.every(({ code }) => code === "data_loss_unconfirmed");
      return wishOf({ ...present, ...(possible && taken) }, { refusals, warnings });
    }
    const limits = {
      maxRounds,
      ...(maxDowntimeMs !== undefined && { maxDowntimeMs }),
      ...(bytesPerSecond !== undefined && { bytesPerSecond }),
    };
    const volumes = head.commit.volumes
      .filter(({ name }) => Object.hasOwn(spec.volumes, name))
      .map((volume): [string, WantedVolume] => [
        volume.name,
        {
          spec: withStandbyOn(volume.spec, to, volume.machine),
          source: { kind: "move", machine: to, ...limits },
        },
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

/** The machine that a volume leaves for its standby keeps the second copy from then on. */
function withStandbyOn(spec: VolumeSpec, to: string, from: string): VolumeSpec {
  const { standby } = spec;
  if (standby === undefined || from === to || !standby.machines.includes(to)) return spec;
  const machines = [...new Set(standby.machines.map((one) => (one === to ? from : one)))].sort();
  return { ...spec, standby: { ...standby, machines } };
}
