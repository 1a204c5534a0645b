import { collectAccess } from "@ployz/gateway";
import type { Head } from "./project.ts";
import type { FollowerDeps } from "./run.ts";

type Instance = { readonly id: string; readonly machine: string };

/** Takes the lines of this machine's HAProxy. Without it, because its port is taken, routes are served all the same. */
export async function openAccessLog({ config, paths, log }: Pick<FollowerDeps, "config" | "paths" | "log">) {
  let now: ReadonlyMap<string, Instance> = new Map();
  /** Long requests end after the commit that removes their instance. */
  let before = now;
  const collector = await collectAccess({
    ...{ gatewayDir: paths.gateway, port: config.accessLog.port, dir: paths.accessLog },
    keepBytes: config.accessLog.bytes,
    upstreams: { instance: (address) => now.get(address) ?? before.get(address) },
    onError: (error) => log.error({ err: error }, "access log"),
  }).catch((error: unknown) => {
    log.error({ err: error }, "access log");
    return error instanceof Error ? error : new Error(String(error));
  });
  return {
    know(heads: readonly Head[]): void {
      const found = instancesOf(heads);
      if (sameKeys(found, now)) return;
      before = now;
      now = found;
    },
    state: (): { readonly lost: number; readonly error?: string } =>
      collector instanceof Error ? { lost: 0, error: collector.message } : { lost: collector.lost() },
    close: async () => {
      if (!(collector instanceof Error)) await collector.close();
    },
  };
}

/** By `address:port`. */
const instancesOf = (heads: readonly Head[]): ReadonlyMap<string, Instance> =>
  new Map(
    heads.flatMap(({ commit }) =>
      commit.instances.flatMap(({ id, machine, address, ports }) =>
        Object.values(ports).map((port) => [`${address}:${port}`, { id, machine }] as const),
      ),
    ),
  );

const sameKeys = (a: ReadonlyMap<string, Instance>, b: ReadonlyMap<string, Instance>): boolean =>
  a.size === b.size && [...a].every(([key, { id }]) => b.get(key)?.id === id);
