/** The running server's report on its monitoring port. */
export interface ServerState {
  readonly healthy: boolean;
  readonly version: string;
  readonly name: string;
  /** `sha256:…` of the loaded configuration. */
  readonly configDigest: string;
  readonly startedAt: string;
}

/** `undefined` when nothing answers. Source: docs.nats.io, "Monitoring": /varz, /healthz. */
export async function monitor(port: number): Promise<ServerState | undefined> {
  const get = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      signal: AbortSignal.timeout(2000),
      headers: { connection: "close" },
    });
  try {
    const [varz, health] = await Promise.all([get("/varz"), get("/healthz")]);
    const state = (await varz.json()) as Record<string, unknown>;
    await health.arrayBuffer();
    return {
      healthy: health.ok,
      version: text(state.version),
      name: text(state.server_name),
      configDigest: text(state.config_digest),
      startedAt: text(state.start),
    };
  } catch {
    return undefined;
  }
}

const text = (value: unknown) => (typeof value === "string" ? value : "");
