import { createServer } from "node:http";
import type { Metrics } from "./metrics.ts";

export interface MetricsServer {
  close(): Promise<void>;
}

/** A scrape that takes longer is answered with 503: the scraper's own limit is usually 10 s. */
const SCRAPE_MS = 8_000;
/** Scrapers keep a connection each; more are refused. */
const MAX_CONNECTIONS = 64;

/** Serves `GET /metrics`. Rejects with the error of listen(2). */
export async function serveMetrics(
  listen: string,
  metrics: Pick<Metrics, "text" | "contentType">,
  log: (error: unknown) => void,
  limitMs = SCRAPE_MS,
): Promise<MetricsServer> {
  const colon = listen.lastIndexOf(":");
  const server = createServer((request, response) => {
    const plain = (status: number, text: string) =>
      response.writeHead(status, { "content-type": "text/plain" }).end(`${text}\n`);
    if (request.url?.split("?", 1)[0] !== "/metrics") return void plain(404, "metrics are at /metrics");
    if (request.method !== "GET" && request.method !== "HEAD") return void plain(405, "only GET");
    const late = setTimeout(() => plain(503, "the machine did not answer in time"), limitMs);
    metrics
      .text()
      .then((text) => {
        if (!response.headersSent) response.writeHead(200, { "content-type": metrics.contentType }).end(text);
      })
      .catch((error: unknown) => {
        log(error);
        if (!response.headersSent) plain(500, "see the daemon's log");
      })
      .finally(() => clearTimeout(late));
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(listen.slice(colon + 1)), listen.slice(0, colon), resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
