import type { LoadedPolicy, MachineRecord } from "@ployz/primitives/protocol";
import { measureRtt, probePath, type Wireguard } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";
import { askFollower, askRestarting, isUnreachable } from "../host/follower-client.ts";
import type { Handlers } from "../participant/handlers.ts";
import type { Records } from "../state/records.ts";
import type { MembershipFollower } from "./follow.ts";

export interface MeshDeps {
  readonly wireguard: Wireguard;
  /** The tunnel's MTU in bytes. */
  readonly mtu: number;
  readonly membership: MembershipFollower;
  /** The daemon's copy of the commits, from which a machine that boots alone starts its instances. */
  readonly mirror: Pick<Records, "durable">;
  readonly gatewaySocket: string;
  readonly dnsSocket: string;
  /** Milliseconds for which a follower that does not answer is waited for. */
  readonly restartMs?: number;
}

type MeshCommands =
  | "network.policy"
  | "membership.await"
  | "membership.handshake"
  | "machine.rtt"
  | "publish.await";

export function meshHandlers(deps: MeshDeps): Pick<Handlers, MeshCommands> {
  const { wireguard, membership } = deps;
  const member = (id: string) => {
    const found = membership.present().machines.find((record) => record.id === id);
    if (found === undefined)
      throw new PloyzError({
        code: "no_such_machine",
        message: `${id} is not a member here`,
        hint: "list members: ployzctl machine ls",
      });
    return found;
  };
  return {
    "membership.await": async ({ revision }, { signal }) => {
      await membership.reached(revision, signal);
      return { peers: membership.present().machines.length - 1 };
    },
    "membership.handshake": async ({ machines, timeoutMs, mtu = deps.mtu }, { signal }) => {
      const keys = machines.map((id) => [id, member(id).publicKey] as const);
      await wireguard.waitForHandshake(
        keys.map(([, key]) => key),
        { timeoutMs, signal },
      );
      await Promise.all(
        machines.map((id) => carriesFullPackets(Math.min(mtu, deps.mtu), member(id), signal)),
      );
      const peers = new Map(
        (await wireguard.status())?.peers.map((peer) => [peer.publicKey, peer.latestHandshake ?? 0]),
      );
      const handshakes = Object.fromEntries(keys.map(([id, key]) => [id, peers.get(key) ?? 0]));
      return { handshakes, mtu: deps.mtu };
    },
    "network.policy": async (_args, { signal }) => {
      const { status } = await askFollower(deps.dnsSocket, undefined, signal);
      const { policy = "changed" } = status as { readonly policy?: LoadedPolicy };
      return { policy };
    },
    "machine.rtt": async ({ machines }) => {
      const measured = await Promise.all(
        machines.map(async (id) => [id, await measureRtt(member(id).address).catch(() => null)] as const),
      );
      return { rttMs: Object.fromEntries(measured) };
    },
    ...publishHandler(deps),
  };
}

/** Waits until the followers of this machine serve a commit, and its daemon has it on disk. */
export function publishHandler(
  deps: Pick<MeshDeps, "mirror" | "gatewaySocket" | "dnsSocket" | "restartMs">,
): Pick<Handlers, "publish.await"> {
  return {
    "publish.await": async ({ namespace, revision }, { signal }) => {
      const wait = { namespace, revision };
      const ask = (socket: string) =>
        askRestarting(socket, wait, signal, deps.restartMs).then(
          ({ status }) => ({ state: "applied" as const, dropped: droppedOf(status) }),
          (error: unknown) => {
            if (isUnreachable(error)) return { state: "absent" as const, dropped: [] };
            throw error;
          },
        );
      const [gateway, dns] = await Promise.all([
        ask(deps.gatewaySocket),
        ask(deps.dnsSocket),
        // Candidates are a fact, whose key has a dot: a machine that boots starts none of them.
        namespace.includes(".") ? undefined : deps.mirror.durable(namespace, revision, signal),
      ]);
      const mine = gateway.dropped.filter((route) => route.startsWith(`${namespace}/`));
      const warnings = [
        ...(mine.length > 0 ? [`not served on this machine: ${mine.join(", ")}`] : []),
        ...[
          ...(gateway.state === "absent" ? ["gateway"] : []),
          ...(dns.state === "absent" ? ["DNS"] : []),
        ].map(
          (name) =>
            `the ${name} of this machine does not run; until it does, it knows nothing of this change`,
        ),
      ];
      return {
        ...{ gateway: gateway.state, dns: dns.state },
        ...(warnings.length > 0 && { warning: warnings.join("; ") }),
      };
    },
  };
}

/** A handshake is small: if only such packets arrive, later traffic would hang. */
async function carriesFullPackets(
  mtu: number,
  { id, address }: MachineRecord,
  signal: AbortSignal,
): Promise<void> {
  if ((await probePath(address, mtu, { signal })) === "blocked") throw pathTooNarrow(id, mtu);
}

export const pathTooNarrow = (id: string, mtu: number): PloyzError =>
  new PloyzError({
    code: "path_too_narrow",
    message: `packets of up to ${mtu} bytes do not pass through the tunnel to ${id}, but smaller ones do: the network in between has a smaller MTU`,
    hint: "set wireguard_mtu = 1280 in /etc/ployz/config.toml on both machines, then: ployzctl daemon install",
  });

/** What a gateway or DNS cannot serve here, with reasons. */
export function droppedOf(status: unknown): readonly string[] {
  const { dropped } = (status ?? {}) as { readonly dropped?: unknown };
  return Array.isArray(dropped) ? dropped.map(String) : [];
}
