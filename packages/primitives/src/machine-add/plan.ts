import type { Plan, PlannedStep, Refusals } from "../engine/types.ts";
import type { RemoteFacts, RemoteTarget } from "../ports/remote.ts";
import { type MachineAddInput, targetText } from "./input.ts";
import type { MachineAddFacts } from "./observe.ts";
import {
  basisOf,
  type PeerKinds,
  planHandshake,
  planPeers,
  type Reserved,
  storeServersOf,
  warningsOf,
} from "./peers.ts";
import { freePlace, nameOf, presentMember, refuse, refuseChange } from "./refuse.ts";

/** The new machine before its identity and subnet are known. */
export type Seat = {
  readonly id: string;
  readonly runtime: "docker" | "process";
  readonly region?: string;
  readonly az?: string;
  readonly version: string;
};

export type MachineAddKinds = {
  "packages.install": { args: { target: RemoteTarget; packages: readonly string[] }; out: null };
  /** `fresh`: there was no Ployz, so the undo removes it. A newer build stays: the daemon that was there runs from it by then. */
  "payload.install": { args: { target: RemoteTarget; fresh: boolean }; out: { installed: boolean } };

  "daemon.install": {
    args: {
      target: RemoteTarget;
      runtime: "docker" | "process";
      region?: string;
      az?: string;
      zfsRoot?: string;
      fresh: boolean;
    };
    out: null;
  };
  /** Leaves what an earlier attempt left half joined. */
  "mesh.leave": { args: { target: RemoteTarget; joinedBy: string }; out: null };
  /** Reads the machine's public identity and takes its seat: the first free subnet and the name, both under CAS. */
  "seat.reserve": { args: { target: RemoteTarget; seat: Seat }; out: Reserved };
  "mesh.join": {
    args: { target: RemoteTarget; reserve: string; storeServers: readonly string[] };
    out: null;
  };
} & PeerKinds;

export function plan(input: MachineAddInput, facts: MachineAddFacts): Plan<MachineAddKinds> | Refusals {
  const { target } = input;
  const { remote } = facts;
  const where = targetText(target);
  const present = presentMember(input, facts);
  if (present !== undefined) {
    const changed = refuseChange(input, present, facts);
    if (changed.length > 0) return { refusals: changed };
    return {
      basis: [],
      prepare: [],
      settle: [],
      changes: false,
      warnings: [],
      summary: { machine: present.id, target: where, already: true },
    };
  }
  const id = nameOf(input, facts);
  const place = freePlace(facts);
  const refusals = refuse(input, facts);
  if (place === undefined || refusals.length > 0) return { refusals };
  const runtime = input.runtime ?? (remote.dockerRunning ? "docker" : "process");
  const seat: Seat = {
    id,
    runtime,
    ...(input.region !== undefined && { region: input.region }),
    ...(input.az !== undefined && { az: input.az }),
    version: facts.payload.version,
  };
  const placement = {
    ...(input.region !== undefined && { region: input.region }),
    ...(input.az !== undefined && { az: input.az }),
  };

  const fresh = remote.ployz === undefined;

  const steps: PlannedStep<MachineAddKinds>[] = [];
  let before: readonly string[] = [];
  const then = (step: PlannedStep<MachineAddKinds>) => {
    steps.push({ ...step, needs: before });
    before = [step.id];
  };
  if (remote.missingPackages.length > 0) {
    then({
      id: "packages",
      kind: "packages.install",
      args: { target, packages: remote.missingPackages },
      title: `install ${remote.missingPackages.join(", ")} on ${where}`,
      needs: [],
    });
  }
  if (remote.ployz?.build !== facts.payload.build) {
    then({
      id: "payload",
      kind: "payload.install",
      args: { target, fresh },
      title: `upload Ployz ${facts.payload.version} to ${where}`,
      needs: [],
    });
  }
  then({
    id: "daemon",
    kind: "daemon.install",
    args: {
      ...{ target, runtime, ...placement, fresh },
      ...(input.zfsRoot !== undefined && { zfsRoot: input.zfsRoot }),
    },
    title: `install and start the daemon on ${where}`,
    needs: [],
  });
  if (remote.ployz?.cluster !== undefined) {
    then({
      id: "leave",
      kind: "mesh.leave",
      args: { target, joinedBy: remote.ployz.joinedBy ?? "" },
      title: `clear the unfinished membership of ${where}`,
      needs: [],
    });
  }
  then({
    id: "seat",
    kind: "seat.reserve",
    args: { target, seat },
    title: `reserve a subnet and the name ${id}`,
    needs: [],
  });
  const peers = planPeers(id, facts, before);
  steps.push(...peers.steps);
  before = peers.needs;
  then({
    id: "join",
    kind: "mesh.join",
    args: { target, reserve: "seat", storeServers: storeServersOf(facts) },
    title: `${id} joins the mesh`,
    needs: [],
  });
  steps.push(planHandshake(id, facts));
  return {
    basis: basisOf(facts),
    prepare: steps,
    settle: [],
    changes: true,
    warnings: [...warningsOf(id, facts), ...clockWarning(id, remote)],
    summary: {
      machine: id,
      target: where,
      subnet: place.subnet,
      address: place.address,
      runtime,
      packages: remote.missingPackages,
      already: false,
    },
  };
}

/** Nothing of Ployz compares clocks of two machines; times that people read are wrong. */
function clockWarning(id: string, { clockOffMs }: RemoteFacts): readonly string[] {
  if (clockOffMs === undefined) return [];
  const by = `${Math.round(Math.abs(clockOffMs) / 60_000)} min ${clockOffMs > 0 ? "fast" : "slow"}`;
  return [`the clock of ${id} is ${by}: times in its log and of its snapshots are wrong until it is set`];
}
