import { errorBody } from "@ployz/errors";
import { type NatsStore, storeSizes } from "@ployz/nats-store";
import type { StoreStatus } from "@ployz/primitives/client";
import type { Membership } from "../mesh/membership.ts";
import type { AskPeer } from "../peers/ask.ts";
import { type Surveyed, setOf, survey } from "./survey.ts";
import { sorted } from "./wanted.ts";

type Sizes = Awaited<ReturnType<typeof storeSizes>>;

/** The store's present state, from its machines and its leader. */
export async function storeStatus(
  ask: AskPeer,
  store: NatsStore,
  membership: Membership,
): Promise<StoreStatus> {
  const [seen, sizes] = await Promise.all([
    survey(ask, membership.machines),
    storeSizes(store.session).catch((error: unknown) => errorBody(error)),
  ]);
  return describe(seen, "code" in sizes ? undefined : sizes, membership);
}

/** Pure. `sizes` are absent where the store does not answer. */
export function describe(seen: Surveyed, sizes: Sizes | undefined, membership: Membership): StoreStatus {
  const generation = seen.serving?.generation ?? membership.cluster.generation;
  const named = setOf(seen.looks, generation);
  const members =
    named.length > 0 ? named : membership.machines.filter(({ store }) => store).map(({ id }) => id);
  // Each stream has its own leader, shown in the table of streams; "leader" means that of the commits.
  const [commits] = sizes ?? [];
  const behind = new Set(
    (sizes ?? []).flatMap(({ followers }) =>
      followers.filter((one) => !one.current).map(({ machine }) => machine),
    ),
  );
  const machines = sorted(members).map((id): StoreStatus["machines"][number] => {
    const look = seen.looks[id];
    const entry = look?.record?.generations.find((one) => one.generation === generation);
    const server = entry?.listen ? `${entry.listen.host}:${entry.listen.port}` : "";
    const error = seen.silent[id];
    const up = look?.server != null;
    const state = !up
      ? "down"
      : members.length === 1
        ? "alone"
        : behind.has(id)
          ? "behind"
          : commits?.leader === id
            ? "leader"
            : "follower";
    return {
      ...{ id, server, state },
      ...(look?.server != null && { version: look.server.version }),
      ...(error !== undefined && { error }),
    };
  });
  const up = machines.filter(({ state }) => state !== "down").length;
  const needed = Math.floor(members.length / 2) + 1;
  return {
    kind: "store",
    state: stateOf(seen, { sizes, several: members.length > 1, quorum: up >= needed }),
    ...{ generation, machines, quorum: { size: members.length, up, needed } },
    streams: (sizes ?? []).map(({ name, messages, bytes, lastSequence, leader }) => ({
      ...{ name, messages, bytes, lastSequence },
      ...(leader !== undefined && { leader }),
    })),
    views: sorted(Object.keys(seen.looks)).flatMap((machine) => {
      const look = seen.looks[machine];
      if (look === undefined) return [];
      const kept = (look.record?.generations ?? []).map((entry) => ({
        generation: entry.generation,
        state: entry.state,
      }));
      return [{ machine, ...look.view, kept }];
    }),
    silent: sorted(Object.keys(seen.silent)),
    unfinished: seen.unfinished.map(({ id, decided }) => ({ id, decided })),
  };
}

/** A server of a set tells the sizes of its streams also while they have no leader, and then takes no write. */
function stateOf(
  seen: Surveyed,
  {
    sizes,
    several,
    quorum,
  }: { readonly sizes: Sizes | undefined; readonly several: boolean; readonly quorum: boolean },
): StoreStatus["state"] {
  if (seen.serving === undefined && seen.unfinished.length > 0) return "fenced";
  const led = sizes?.every(({ leader }) => leader !== undefined) === true;
  if (sizes !== undefined && (led || !several)) return "open";
  return quorum ? "unreachable" : "no-quorum";
}
