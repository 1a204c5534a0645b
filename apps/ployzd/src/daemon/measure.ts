import { errorBody } from "@ployz/errors";
import type { Machines } from "@ployz/primitives/protocol";
import type { Wireguard } from "@ployz/wireguard";
import { METRICS_PORT } from "../config/kept-ports.ts";
import type { Config } from "../config/load.ts";
import { askFollower } from "../host/follower-client.ts";
import type { MembershipFollower } from "../mesh/follow.ts";
import { type Metrics, openMetrics } from "../metrics/metrics.ts";
import type { Snapshot } from "../metrics/samples.ts";
import { serveMetrics } from "../metrics/serve.ts";
import type { Runner } from "../operations/runner.ts";
import type { Handlers } from "../participant/handlers.ts";
import type { Paths } from "../state/paths.ts";
import type { Records } from "../state/records.ts";

/** Where a member's metrics are served, or why they are not. */
export interface MetricsState {
  /** `address:port`; undefined: the configuration turns them off. */
  readonly listen: string | undefined;
  readonly error?: string;
}

interface Measured {
  readonly paths: Pick<Paths, "gatewaySocket" | "dnsSocket">;
  readonly observe: Handlers["machine.observe"];
  readonly wireguard: Pick<Wireguard, "status">;
  readonly follower: Pick<MembershipFollower, "present">;
  readonly mirror: Pick<Records, "applied" | "facts">;
  readonly runner: Pick<Runner, "running">;
  storeConnected(): boolean;
}

/** The longest wait for a part of the machine. */
const LOOK_MS = 5_000;

/** Looks at this machine for a scrape. A part without an answer is left out. */
async function lookAtMachine(deps: Measured): Promise<Snapshot> {
  const signal = AbortSignal.timeout(LOOK_MS);
  const late = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const orNothing = <T>(work: Promise<T>): Promise<T | undefined> =>
    Promise.race([work.catch(() => undefined), late]);
  const follower = (socket: string) => orNothing(askFollower(socket, undefined, signal));
  const [observation, tunnel, gateway, dns] = await Promise.all([
    orNothing(deps.observe({ usage: true }, { signal, progress() {} })),
    orNothing(deps.wireguard.status()),
    follower(deps.paths.gatewaySocket),
    follower(deps.paths.dnsSocket),
  ]);
  const names = new Map(deps.follower.present().machines.map(({ publicKey, id }) => [publicKey, id]));
  return {
    observation,
    peers: Object.fromEntries(
      (tunnel?.peers ?? []).flatMap((peer) => {
        const machine = names.get(peer.publicKey);
        return machine === undefined ? [] : [[machine, peer]];
      }),
    ),
    followers: { gateway, dns },
    storeConnected: deps.storeConnected(),
    mirror: deps.mirror.applied(),
    operationsRunning: deps.runner.running().length,
    conditions: deps.mirror.facts("alerting")[0]?.value.open ?? [],
  };
}

const measuredCalls = (machines: Machines, metrics: Metrics): Machines => ({
  call: async (machine, command, args, options) => {
    const began = performance.now();
    const done = (result: string) => metrics.call(command, result, (performance.now() - began) / 1000);
    try {
      const answer = await machines.call(machine, command, args, options);
      done("ok");
      return answer;
    } catch (error) {
      done(errorBody(error).code);
      throw error;
    }
  },
});

export interface Measures extends Pick<Metrics, "operation"> {
  /** The same port, with each call measured. */
  machines(machines: Machines): Machines;
  /** A port that is taken costs the metrics, not the machine: `doctor` reports it. */
  serve(address: string): Promise<{ readonly state: MetricsState; close(): Promise<void> }>;
}

/** The metrics of a member. `parts` is called for each scrape. */
export function openMeasures(options: {
  readonly config: Pick<Config, "metricsListen">;
  readonly version: string;
  readonly machine: string;
  parts(): Measured;
  log(error: unknown): void;
}): Measures {
  const { config, log } = options;
  const metrics = openMetrics({ ...options, look: () => lookAtMachine(options.parts()) });
  return {
    operation: metrics.operation,
    machines: (machines) => measuredCalls(machines, metrics),
    async serve(address) {
      const none = async () => {};
      if (config.metricsListen === "off") return { state: { listen: undefined }, close: none };
      const listen = config.metricsListen ?? `${address}:${METRICS_PORT}`;
      try {
        return { state: { listen }, close: (await serveMetrics(listen, metrics, log)).close };
      } catch (error) {
        log(error);
        return { state: { listen, error: errorBody(error).message }, close: none };
      }
    },
  };
}
