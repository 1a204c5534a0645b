import { openServiceHost, waitFor } from "@ployz/exec";
import { openClient } from "@ployz/primitives/client";
import type { Logger } from "pino";
import type { Config } from "../../config/load.ts";
import { PloyzError } from "../../error-codes.ts";
import { loadPayload } from "../../host/payload.ts";
import { pathsOf } from "../../state/paths.ts";
import { openBuilds } from "./builds.ts";
import { readSwap, writeSwap } from "./record.ts";

const UP_MS = 30_000;
/** The number of failed starts after which the switch rolls back. */
const ENOUGH_STARTS = 3;
const DAEMON = "ployzd";

/**
 * `ployzd swap`: switches to the build in the record. It runs as a separate service, from the old build, so that it survives the daemon's
 * replacement: if the new daemon does not come up as a member with the store, it rolls back to the old one, without any connection to this
 * machine.
 */
export async function runSwap(config: Config, log: Logger): Promise<void> {
  const paths = pathsOf(config);
  const swap = await readSwap(paths.swap);
  if (swap?.state !== "switching") return;
  const services = await openServiceHost({ dir: paths.services, logDir: paths.serviceLogs });
  const builds = openBuilds(await loadPayload());
  const client = openClient({ socketPath: config.socket });

  async function start(build: string, ready: () => Promise<boolean>): Promise<void> {
    await builds.makeCurrent(build);
    await services.restart(DAEMON);
    const pids = new Set<number>();
    await waitFor(
      "the daemon to be a member again",
      async () => {
        const version = await client.request("GET /v1/version", { idleMs: 2_000 }).catch(() => undefined);
        if (version?.build === build && (await ready().catch(() => false))) return true;
        const { pid } = await services.status(DAEMON);
        if (pid !== undefined) pids.add(pid);
        if (pids.size < ENOUGH_STARTS) return undefined;
        throw new PloyzError({ code: "daemon_not_ready", message: `it exited ${ENOUGH_STARTS - 1} times` });
      },
      { timeoutMs: UP_MS, intervalMs: 50 },
    );
  }

  try {
    await start(swap.to, async () => {
      const { joined, store } = await client.request("GET /v1/mesh", { idleMs: 2_000 });
      return joined && store === "connected";
    });
    await writeSwap(paths.swap, { ...swap, state: "done" });
    log.info({ build: swap.to }, "switched");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.error({ err: error, build: swap.to }, "the new build does not start: rolling back");
    await start(swap.from, async () => true).catch((again: unknown) =>
      log.error({ err: again }, "going back"),
    );
    await writeSwap(paths.swap, {
      ...swap,
      state: "reverted",
      error: `the daemon of the build ${swap.to.slice(0, 12)} did not start (${why})`,
    });
  }
}
