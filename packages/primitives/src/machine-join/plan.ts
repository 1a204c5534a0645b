import type { Plan, PlannedStep, Refusals } from "../engine/types.ts";
import {
  basisOf,
  type PeerKinds,
  planHandshake,
  planPeers,
  type Reserved,
  storeServersOf,
  warningsOf,
} from "../machine-add/peers.ts";
import type { Seat } from "../machine-add/plan.ts";
import { freePlace } from "../machine-add/refuse.ts";
import type { Self } from "../machine-add/seat.ts";
import type { Claim } from "./claim.ts";
import type { MachineJoinInput } from "./input.ts";
import type { MachineJoinFacts } from "./observe.ts";
import { nameOf, presentMember, refuse } from "./refuse.ts";

export type MachineJoinKinds = {
  "invite.claim": { args: Claim; out: null };
  "seat.take": { args: { seat: Seat; self: Self }; out: Reserved };
  /** Answers the machine with its seat. */
  "document.deliver": {
    args: { publicKey: string; reserve: string; storeServers: readonly string[] };
    out: null;
  };
} & PeerKinds;

export function plan(input: MachineJoinInput, facts: MachineJoinFacts): Plan<MachineJoinKinds> | Refusals {
  const { invite, self } = input;
  const place = freePlace(facts);
  const refusals = refuse(input, facts);
  if (refusals.length > 0) return { refusals };
  const present = presentMember(input, facts);
  if (present !== undefined)
    return {
      ...{ basis: [], prepare: [], settle: [], changes: false, warnings: [] },
      summary: {
        machine: present.id,
        invite,
        subnet: present.subnet,
        address: present.address,
        already: true,
      },
    };
  if (place === undefined) return { refusals };
  const id = nameOf(input, facts);
  const { publicKey, nkey, endpoints, runtime, version } = self;
  const [region, az] = [facts.invite?.region ?? self.region, facts.invite?.az ?? self.az];
  const seat: Seat = {
    ...{ id, runtime, version },
    ...(region !== undefined && { region }),
    ...(az !== undefined && { az }),
  };
  const peers = planPeers(id, facts, ["seat"]);
  const prepare: readonly PlannedStep<MachineJoinKinds>[] = [
    {
      id: "invite",
      kind: "invite.claim",
      args: { invite, publicKey, machine: id },
      title: `use invite ${invite} for ${id}`,
      needs: [],
    },
    {
      id: "seat",
      kind: "seat.take",
      args: { seat, self: { publicKey, nkey, endpoints } },
      title: `reserve a subnet and the name ${id}`,
      needs: ["invite"],
    },
    ...peers.steps,
    {
      id: "join",
      kind: "document.deliver",
      args: { publicKey, reserve: "seat", storeServers: storeServersOf(facts) },
      title: `${id} joins the mesh`,
      needs: peers.needs,
    },
    planHandshake(id, facts),
  ];
  return {
    ...{ basis: basisOf(facts), prepare, settle: [], changes: true, warnings: warningsOf(id, facts) },
    summary: { machine: id, invite, subnet: place.subnet, address: place.address, runtime, already: false },
  };
}
