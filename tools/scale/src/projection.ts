import { projectZone } from "@ployz/dns";
import { buildTable, type Head, isolate, residentsOf, zoneOf } from "@ployz/ployzd/parts";
import { isMember, type MachineRecord } from "@ployz/primitives/protocol";
import { type Figure, quantile, type Suite } from "./curve.ts";
import { cpuTimed } from "./timed.ts";
import { deployedWorld, machineId } from "./world.ts";

const ROUNDS = 7;

/** What each follower does after each commit of any namespace. */
export const projection: Suite = async ({ machines, progress }) => {
  progress("deploying namespaces in memory");
  const { store } = (await deployedWorld(machines)).ports;
  const heads: readonly Head[] = (await store.commits.heads()).map(({ value, revision }) => ({
    commit: value,
    revision,
  }));
  const members = (await store.facts.list("machine")).map(({ value }) => value).filter(isMember);
  progress("projections");
  return projectionFigures(heads, members);
};

async function projectionFigures(
  heads: readonly Head[],
  members: readonly MachineRecord[],
): Promise<readonly Figure[]> {
  const residents = () => residentsOf({ heads, candidates: new Map(), guests: [], running: new Map() });
  const isolation = () => isolate(residents(), members, { self: machineId(0), gatewayPorts: [80, 443] });
  const { views } = isolation();
  const view = views.of(heads[0]?.commit.instances[0]?.address ?? "") ?? "";
  const parts: Readonly<Record<string, () => unknown>> = {
    "routes of the gateway": () => buildTable(heads),
    "DNS zone": () => projectZone(zoneOf(heads, members), { overlay: "10.101.0.0/16" }),
    "network policy": isolation,
    "DNS view of one namespace": () => projectZone(views.records(view), { overlay: "10.101.0.0/16" }),
    "last commits as JSON": () => JSON.stringify(heads),
  };
  const figures: Figure[] = [];
  for (const [name, work] of Object.entries(parts)) {
    const times: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) times.push(await cpuTimed(work));
    figures.push({ name: `project, ${name}`, unit: "ms of CPU", value: quantile(times.slice(1), 0.5) });
  }
  return [
    ...figures,
    { name: "size of all last commits", unit: "kB", value: JSON.stringify(heads).length / 1_000 },
  ];
}
