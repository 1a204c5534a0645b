import type { Primitive } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import type { RemoteTarget } from "../ports/remote.ts";
import type { MachineAddInput } from "./input.ts";
import type { MachineAddFacts, MachineAddPorts } from "./observe.ts";
import { joinDocument, peerSteps } from "./peers.ts";
import type { MachineAddKinds } from "./plan.ts";
import { leaveSeat, selfOf, takeSeat } from "./seat.ts";

type Steps = Primitive<MachineAddPorts, MachineAddInput, MachineAddFacts, MachineAddKinds, Json>["steps"];

const MINUTE = 60_000;

export const steps: Steps = {
  "packages.install": {
    timeoutMs: () => 10 * MINUTE,
    retryTransient: false,
    async apply({ target, packages }, { ports, progress, signal }) {
      await ports.remote.installPackages(target, packages, progress, signal);
      return null;
    },
  },
  "payload.install": {
    timeoutMs: () => 10 * MINUTE,
    retryTransient: false,
    apply: ({ target }, { ports, operation, progress, signal }) =>
      ports.remote.installPayload(
        target,
        operation,
        (done, total) => progress("uploading", { done, total }),
        signal,
      ),
    async undo({ target, fresh }, { ports, operation, signal }) {
      if (fresh) await ports.remote.removePayload(target, operation, signal);
    },
  },
  "daemon.install": {
    timeoutMs: () => 2 * MINUTE,
    retryTransient: false,
    async apply({ target, runtime, region, az, zfsRoot }, { ports, signal }) {
      const placement = [
        ...(region === undefined ? [] : ["--region", region]),
        ...(az === undefined ? [] : ["--az", az]),
        ...(zfsRoot === undefined ? [] : ["--zfs-root", zfsRoot]),
      ];
      await ports.remote.ployzctl(
        target,
        ["daemon", "install", "--runtime", runtime === "process" ? "host" : "docker", ...placement],
        undefined,
        signal,
      );
      return null;
    },
    async undo({ target, fresh }, { ports, operation, signal }) {
      if (!fresh) return;
      const { ployz } = await ports.remote.facts(target, signal);
      // A machine that became a member by something else since is not this operation's to take apart.
      if (ployz === undefined || (ployz.cluster !== undefined && ployz.joinedBy !== operation)) return;
      await ports.remote.ployzctl(target, ["daemon", "uninstall", "--if-installed"], undefined, signal);
    },
  },
  "mesh.leave": {
    timeoutMs: () => MINUTE,
    retryTransient: false,
    async apply({ target, joinedBy }, { ports, signal }) {
      await leave(target, joinedBy, ports, signal);
      return null;
    },
  },
  "seat.reserve": {
    timeoutMs: () => MINUTE,
    retryTransient: true,
    async apply({ target, seat }, { ports, operation, signal }) {
      const document = await ports.remote.ployzctl(
        target,
        ["mesh", "self-record", "--address", target.host],
        undefined,
        signal,
      );
      return takeSeat(seat, selfOf(document, target.host), operation, ports);
    },
    undo: ({ seat }, { ports, operation }) => leaveSeat(seat, operation, ports),
  },
  "mesh.join": {
    timeoutMs: () => 2 * MINUTE,
    retryTransient: false,
    async apply({ target, reserve, storeServers }, { ports, signal, output }) {
      const document = await joinDocument(output(reserve, "seat.reserve").record, storeServers, ports);
      await ports.remote.ployzctl(
        target,
        ["mesh", "join", "--document-stdin"],
        JSON.stringify(document),
        signal,
      );
      return null;
    },
    async undo({ target }, { ports, operation, signal }) {
      await leave(target, operation, ports, signal);
    },
  },
  ...peerSteps("seat.reserve"),
};

/** Takes the target out of the membership that `joinedBy` made, and of no other: SSH carries no fence. */
async function leave(
  target: RemoteTarget,
  joinedBy: string,
  { remote }: MachineAddPorts,
  signal: AbortSignal,
): Promise<void> {
  const { ployz } = await remote.facts(target, signal);
  if (ployz?.cluster === undefined || (ployz.joinedBy ?? "") !== joinedBy) return;
  const by = joinedBy === "" ? [] : ["--operation", joinedBy];
  await remote.ployzctl(target, ["mesh", "leave", ...by], undefined, signal);
}
