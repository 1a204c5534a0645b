import { openServiceHost } from "@ployz/exec";
import { openGateway, validateTable } from "@ployz/gateway";
import { buildTable, tableVersion } from "./project.ts";
import type { FollowerWorld, Served } from "./run.ts";

/** As long as a manifest's drain can be: an operation ends what an instance still serves, the gateway never does so before it. */
const LONGEST_DRAIN_MS = 86_400_000;

/** HAProxy as this machine's gateway. It outlives this process. */
export async function serveGateway({ config, paths, log }: FollowerWorld): Promise<Served> {
  const services = await openServiceHost({ dir: paths.services, logDir: paths.serviceLogs });
  const gateway = await openGateway({
    dir: paths.gateway,
    listen: config.gatewayListen,
    services,
    drainTimeoutMs: LONGEST_DRAIN_MS,
  });
  const adopted = await gateway.adopt();
  log.info(adopted, "haproxy");
  const port = Number(config.gatewayListen.slice(config.gatewayListen.lastIndexOf(":") + 1));
  let version = adopted.version ?? "";
  let dropped: readonly string[] = [];
  return {
    async apply(heads) {
      if (adopted.state !== "absent" && version === tableVersion(heads)) return;
      const built = buildTable(
        heads,
        (table) => validateTable(table, { reservedPorts: [port] }).length === 0,
      );
      dropped = built.dropped;
      if (dropped.length > 0) log.error({ dropped }, "routes that contradict older ones are not served");
      const { changed } = await gateway.apply(built.table);
      version = built.table.version;
      log.info({ changed, version }, "haproxy");
    },
    status: () => ({ version, dropped }),
    close: async () => {},
  };
}
