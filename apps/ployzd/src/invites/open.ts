import { networkInterfaces } from "node:os";
import type { ClusterRecord, MachineRecord, Store } from "@ployz/primitives/protocol";
import { observedAddress } from "@ployz/wireguard";
import type { Logger } from "pino";
import type { Config } from "../config/load.ts";
import type { Runner } from "../operations/runner.ts";
import type { Paths } from "../state/paths.ts";
import { answerJoin } from "./answer.ts";
import { ensureJoinKey } from "./join-key.ts";
import { type JoinPort, openJoinPort } from "./port.ts";
import { serveJoins } from "./server.ts";

export interface InviterOptions {
  readonly self: MachineRecord;
  readonly cluster: ClusterRecord;
  readonly config: Pick<Config, "joinPort" | "wireguardPort">;
  readonly paths: Paths;
  readonly store: Store;
  readonly runner: Runner;
  readonly log: Logger;
}

export type Inviter = JoinPort & {
  /** After a start of the daemon: opens the port for the invites that the store has. Logs a port already in use. */
  resume(): Promise<void>;
};

/** The join port of a member. */
export function openInviter({ self, cluster, config, paths, store, runner, log }: InviterOptions): Inviter {
  const port = openJoinPort({
    self: self.id,
    now: () => Date.now(),
    log: (error) => log.error({ err: error }, "join port"),
    open: async () =>
      serveJoins({
        port: config.joinPort,
        identity: await ensureJoinKey(paths.joinKey),
        log: (error) => log.error({ err: error }, "join"),
        handle: (call) =>
          answerJoin(call, {
            ...{ store, runner, cluster, wireguardPort: config.wireguardPort },
            observed: (address) =>
              observedAddress(address, networkInterfaces(), { exclude: [cluster.clusterCidr] }),
          }),
      }),
  });
  return {
    ...port,
    async resume() {
      const invites = await store.facts.list("invite");
      await port
        .expect(invites.map(({ value }) => value))
        .catch((error: unknown) => log.error({ err: error }, "join port"));
    },
  };
}
