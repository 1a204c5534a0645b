import { chmod, chown, mkdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { STREAM_PATH } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { onUpgrade } from "../transfer/upgrade.ts";
import { fail, type Routes, router } from "./router.ts";

export interface ApiServer {
  close(): Promise<void>;
}

/**
 * Listens on the Unix socket, 0660 and group `ployz` where there is such a group.
 * @throws PloyzError `daemon_running` when another daemon answers there.
 */
export async function serveApi(
  socket: string,
  routes: Routes & { readonly upgrade?: (socket: Duplex) => void },
  log: (error: unknown, route: string) => void,
): Promise<ApiServer> {
  await mkdir(dirname(socket), { recursive: true, mode: 0o755 });
  if (await answers(socket)) {
    throw new PloyzError({
      code: "daemon_running",
      message: `another ployzd listens on ${socket}`,
      hint: "check it: ployzctl daemon status",
    });
  }
  await rm(socket, { force: true });
  const handle = router(routes, log);
  let running = 0;
  const server = createServer((request, response) => {
    if (running >= MAX_REQUESTS) {
      fail(response.setHeader("connection", "close"), busy());
      return;
    }
    running += 1;
    response.once("close", () => (running -= 1));
    void handle(request, response);
  });
  const breakStreams = onUpgrade(server, ({ url }) => (url === STREAM_PATH ? routes.upgrade : undefined));
  server.requestTimeout = 0; // streams and uploads may last
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path: socket, backlog: 4_096 }, resolve);
  });
  await chmod(socket, 0o660);
  const group = (await readFile("/etc/group", "utf8").catch(() => "")).match(/^ployz:[^:]*:(\d+):/m)?.[1];
  if (group !== undefined && process.getuid?.() === 0) await chown(socket, 0, Number(group));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        breakStreams();
      }),
  };
}

/** Each may hold a view of the whole cluster: more than this at once would grow the daemon without bound. */
const MAX_REQUESTS = 200;

const busy = () =>
  new PloyzError({
    code: "daemon_busy",
    message: `ployzd answers ${MAX_REQUESTS} requests already`,
    hint: "run the same command again in some seconds",
  });

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
