import { networkInterfaces } from "node:os";
import type { ClusterRecord, MachineRecord, Store, TokenRecord } from "@ployz/primitives/protocol";
import { observedAddress } from "@ployz/wireguard";
import type { Logger } from "pino";
import type { Config } from "../config/load.ts";
import type { Runner } from "../operations/runner.ts";
import type { Paths } from "../state/paths.ts";
import { answerJoin } from "./answer.ts";
import { joinEndpoints } from "./endpoints.ts";
import { ensureJoinKey } from "./join-key.ts";
import { type JoinPort, openJoinPort } from "./port.ts";
import { serveJoins, type TakeSocket } from "./server.ts";

export interface InviterOptions {
  readonly self: MachineRecord;
  readonly cluster: ClusterRecord;
  readonly config: Config;
  readonly paths: Paths;
  readonly store: Store;
  readonly runner: Runner;
  readonly log: Logger;
  readonly tokens: { records(): readonly TokenRecord[]; onChange(listener: () => void): void };
  readonly take: TakeSocket;
}

export type Inviter = JoinPort & {
  /** After a start of the daemon: opens the port for the invites and tokens that the store has. Logs a port already in use. */
  resume(): Promise<void>;
};

/** The join port of a member. */
export function openInviter(options: InviterOptions): Inviter {
  const { self, cluster, config, paths, store, runner, log, tokens, take } = options;
  const port = openJoinPort({
    self: self.id,
    now: () => Date.now(),
    log: (error) => log.error({ err: error }, "join port"),
    open: async () =>
      serveJoins({
        port: config.joinPort,
        take,
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
  /** Where this machine takes tokens, for those who create one. */
  async function publish(): Promise<void> {
    const key = `token-port.${self.id}` as const;
    const record = await store.facts.get(`machine.${self.id}`);
    const { pin } = await ensureJoinKey(paths.joinKey);
    const announced = record?.value.endpoints ?? self.endpoints;
    const present = {
      pin,
      endpoints: joinEndpoints(config, { announced, clusterCidr: cluster.clusterCidr }),
    };
    const known = await store.facts.get(key);
    if (JSON.stringify(known?.value) !== JSON.stringify(present))
      await store.facts.put(key, present, known?.revision ?? 0);
  }
  async function serveUntil(at: number): Promise<void> {
    await port.serveUntil(at);
    if (at > Date.now()) await publish();
  }
  const serveTokens = () =>
    serveUntil(Math.max(0, ...tokens.records().map(({ expiresAt }) => expiresAt))).catch((error: unknown) =>
      log.error({ err: error }, "join port"),
    );
  tokens.onChange(() => void serveTokens());

  return {
    ...port,
    serveUntil: (at) => serveUntil(Math.max(at, ...tokens.records().map(({ expiresAt }) => expiresAt))),
    async resume() {
      const invites = await store.facts.list("invite");
      await port
        .expect(invites.map(({ value }) => value))
        .catch((error: unknown) => log.error({ err: error }, "join port"));
      await serveTokens();
    },
  };
}
