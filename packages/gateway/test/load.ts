import { Agent, request } from "node:http";

export interface LoadReport {
  readonly sent: number;
  readonly failures: readonly string[];
  /** Milliseconds. */
  readonly slowest: number;
  readonly names: ReadonlyMap<string, number>;
}

/** Sends at a constant rate, whatever the answers do, half over kept connections and half over new ones. */
export function startLoad(port: number, host: string, rate: number): { stop(): Promise<LoadReport> } {
  const keep = new Agent({ keepAlive: true, maxSockets: 16 });
  const close = new Agent({ keepAlive: false });
  const failures: string[] = [];
  const names = new Map<string, number>();
  const open = new Set<Promise<void>>();
  let sent = 0;
  let slowest = 0;
  const started = performance.now();
  const one = async (): Promise<void> => {
    const index = sent++;
    const begin = performance.now();
    try {
      const agent = index % 2 === 0 ? keep : close;
      const { status, body } = await fetchVia(port, { host, path: `/r/${index}`, agent });
      if (status !== 200) failures.push(`#${index}: status ${status}`);
      else {
        const { name } = JSON.parse(body) as { name: string };
        names.set(name, (names.get(name) ?? 0) + 1);
      }
    } catch (error) {
      failures.push(`#${index} ${index % 2 === 0 ? "keep" : "close"}: ${String(error)}`);
    }
    slowest = Math.max(slowest, performance.now() - begin);
  };
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1000) * rate);
    while (sent < due) {
      const pending = one();
      open.add(pending);
      void pending.finally(() => open.delete(pending));
    }
  }, 5);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      keep.destroy();
      close.destroy();
      return { sent, failures, slowest, names };
    },
  };
}

export interface Fetched {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export interface FetchOptions {
  readonly host: string;
  readonly path?: string;
  readonly agent?: Agent;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  /** Sent in chunks, unless a Content-Length is among the headers. */
  readonly body?: string;
}

export function fetchVia(port: number, options: FetchOptions): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port,
        host: "127.0.0.1",
        path: options.path ?? "/",
        method: options.method ?? "GET",
        headers: { host: options.host, ...options.headers },
        timeout: 15_000,
        agent: options.agent ?? new Agent({ keepAlive: false }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("aborted", () => reject(new Error("answer cut short")));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("timed out")));
    outgoing.on("error", reject);
    outgoing.end(options.body);
  });
}
