import type { Primitive } from "../engine/types.ts";
import { joinDocument, peerSteps } from "../machine-add/peers.ts";
import { leaveSeat, takeSeat } from "../machine-add/seat.ts";
import type { Json } from "../model/json.ts";
import { claimInvite, unclaimInvite } from "./claim.ts";
import type { MachineJoinInput } from "./input.ts";
import type { MachineJoinFacts, MachineJoinPorts } from "./observe.ts";
import type { MachineJoinKinds } from "./plan.ts";

const MINUTE = 60_000;

export const steps: Primitive<
  MachineJoinPorts,
  MachineJoinInput,
  MachineJoinFacts,
  MachineJoinKinds,
  Json
>["steps"] = {
  "invite.claim": {
    timeoutMs: () => MINUTE,
    retryTransient: true,
    apply: (claim, { ports, operation }) => claimInvite(claim, operation, ports),
    undo: (claim, { ports, operation }) => unclaimInvite(claim, operation, ports),
  },
  "seat.take": {
    timeoutMs: () => MINUTE,
    retryTransient: true,
    apply: ({ seat, self }, { ports, operation }) => takeSeat(seat, self, operation, ports),
    undo: ({ seat }, { ports, operation }) => leaveSeat(seat, operation, ports),
  },
  "document.deliver": {
    timeoutMs: () => 10_000,
    retryTransient: false,
    // The machine that asks again may never have got the first answer; the same seat again is no change there.
    fleeting: () => true,
    async apply({ publicKey, reserve, storeServers }, { ports, signal, output }) {
      const document = await joinDocument(output(reserve, "seat.take").record, storeServers, ports);
      await ports.joiner.deliver(publicKey, document, signal);
      return null;
    },
    undo: ({ publicKey }, { ports, operation, signal }) => ports.joiner.retract(publicKey, operation, signal),
  },
  ...peerSteps("seat.take"),
};
