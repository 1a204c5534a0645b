import { withinDeadline } from "../deadline.ts";
import { isForbidden } from "../errors.ts";
import { streams } from "../names.ts";
import type { Session } from "../session.ts";

/** One stream, as reported by its leader. */
export interface StreamSize {
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
  readonly lastSequence: number;
  /** Machine of the leader, in a set. */
  readonly leader?: string;
  /** Machines of the other replicas, in a set; `current`: it is up to date with the leader. */
  readonly followers: readonly { readonly machine: string; readonly current: boolean }[];
}

/** The sizes of the store's streams. Leaves out streams that this machine may not read. */
export async function storeSizes(session: Session): Promise<readonly StreamSize[]> {
  const machineOf = (server: string) => server.slice(server.indexOf("-", session.cluster.length + 1) + 1);
  const sizes = await Promise.all(
    Object.values(streams).map((name) =>
      withinDeadline(session, `inspecting ${name}`, async ({ jsm }): Promise<readonly StreamSize[]> => {
        try {
          const { state, cluster } = await jsm.streams.info(name);
          const { messages, bytes, last_seq: lastSequence } = state;
          return [
            {
              ...{ name, messages, bytes, lastSequence },
              ...(cluster?.name !== undefined && cluster.leader && { leader: machineOf(cluster.leader) }),
              followers: (cluster?.replicas ?? []).map((one) => ({
                machine: machineOf(one.name),
                current: one.current && one.offline !== true,
              })),
            },
          ];
        } catch (error) {
          if (isForbidden(error)) return [];
          throw error;
        }
      }),
    ),
  );
  return sizes.flat();
}
