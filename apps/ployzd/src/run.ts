import { errorBody } from "@ployz/errors";
import { openServiceHost } from "@ployz/exec";
import { STREAM_PATH } from "@ployz/primitives/protocol";
import type { Logger } from "pino";
import { send } from "./alerts/send.ts";
import { watchAlerts } from "./alerts/watch.ts";
import { senderOf } from "./api/alert-sender.ts";
import { apiRoutes } from "./api/routes.ts";
import { serveApi } from "./api/server.ts";
import { openTokenApi } from "./api/tokens/serve.ts";
import { operationIds, systemClock } from "./clock.ts";
import type { Config } from "./config/load.ts";
import { openDaemon } from "./daemon/daemon.ts";
import { loadPayload } from "./host/payload.ts";
import { openStorage } from "./participant/volumes/storage.ts";
import { pathsOf } from "./state/paths.ts";
import { localStreams } from "./streams/open.ts";

/** `ployzd run`: the daemon and its local API. Resolves when it answers; call the result to stop it. */
export async function runDaemon(config: Config, log: Logger): Promise<() => Promise<void>> {
  const paths = pathsOf(config);
  const services = await openServiceHost({ dir: paths.services, logDir: paths.serviceLogs });
  const storage = openStorage({
    root: config.zfsRoot,
    services,
    mounts: paths.volumes,
    pools: paths.pools,
    log: (error, what) => log.warn({ err: error, what }, "volumes"),
  });
  const around = { config, paths, payload: await loadPayload(), services, storage };
  const failed = (error: unknown, route: string) => {
    if (errorBody(error).code === "internal") log.error({ err: error, route }, "api");
  };
  const tokens = openTokenApi(failed);
  const daemon = await openDaemon(around, log, tokens.take);
  tokens.begin(daemon);
  const streams = localStreams(
    () => daemon.member().streams,
    (error) => failed(error, STREAM_PATH),
  );
  const api = await serveApi(config.socket, { ...apiRoutes(daemon), upgrade: streams }, failed);
  const stop = new AbortController();
  const alerting = watchAlerts(
    {
      sender() {
        const member = daemon.present();
        return member && senderOf(member);
      },
      ...{ clock: systemClock, send, newId: operationIds.newOperationId },
      log: (error) => log.warn({ err: error }, "alerts"),
    },
    stop.signal,
  );
  log.info({ socket: config.socket }, "ready");
  return async () => {
    stop.abort();
    await api.close();
    tokens.close();
    await alerting;
    await daemon.close();
  };
}
