import { createServer } from "node:net";
import { join } from "node:path";
import { ExecError, findProgram, run, type ServiceHost, waitFor } from "@ployz/exec";
import { type Control, onWorker, openControl, type Processes, parseProcesses } from "./control.ts";
import type { Listen } from "./desired.ts";
import { PloyzError } from "./error-codes.ts";
import { endOldWorkers } from "./old-workers.ts";

/** HAProxy as a supervised service: started, checked, reloaded. Knows nothing of routes. */
export interface Haproxy {
  readonly control: Control;
  /** Fails with `gateway_config_invalid` and HAProxy's own words. `folder` holds haproxy.cfg and routes.map. */
  validate(folder: string): Promise<void>;
  /** The processes, or `undefined` when none answers. */
  processes(): Promise<Processes | undefined>;
  /** Starts the service and waits until a worker answers; `haproxy_down` when none does. */
  start(): Promise<Processes>;
  /** Waits until a worker answers: after a start, or while the service host restarts a dead one. */
  whenUp(): Promise<Processes>;
  /** Hitless: returns when the new worker serves and the old ones take no new connections. */
  reload(): Promise<Processes>;
  state(): Promise<"running" | "stopped" | "absent">;
  stop(): Promise<void>;
}

export interface HaproxyOptions {
  readonly dir: string;
  readonly program: string;
  readonly services: ServiceHost;
  readonly serviceName: string;
  /** After a reload. */
  readonly maxOldWorkers: number;
}

const UP_TIMEOUT_MS = 15_000;
const POLL_MS = 20;

export async function findHaproxy(given: string | undefined): Promise<string> {
  const found = await findProgram(given ?? "haproxy");
  if (found !== undefined) return found;
  throw new PloyzError({
    code: "haproxy_missing",
    message: `${given ?? "haproxy"} is not installed`,
    hint: "apt install haproxy (2.6 or newer)",
  });
}

export function openHaproxy(options: HaproxyOptions): Haproxy {
  const { dir, program, services, serviceName, maxOldWorkers } = options;
  const socket = join(dir, "master.sock");
  const control = openControl(socket);

  const commandLine = (master: "-W" | "-Ws"): readonly [string, ...string[]] => [
    ...([program, master, "-C", join(dir, "current")] as const),
    ...["-S", `${socket},mode,600,level,admin`, "-f", "haproxy.cfg"],
  ];

  const processes = async (): Promise<Processes | undefined> => {
    try {
      return parseProcesses(await control.ask("show proc"));
    } catch (error) {
      if (isUnreachable(error)) return undefined;
      throw error;
    }
  };
  const info = async (pid: number): Promise<ReadonlyMap<string, string>> => {
    const text = await control.ask(onWorker(pid, "show info")).catch(emptyWhenUnreachable);
    return new Map(text.split("\n").map((line) => [line.split(": ")[0] ?? "", line.split(": ")[1] ?? ""]));
  };
  const answering = async (now: Processes | undefined): Promise<Processes | undefined> => {
    const worker = now?.workers[0];
    return worker !== undefined && (await info(worker)).get("Pid") === String(worker) ? now : undefined;
  };
  const whenUp = (): Promise<Processes> =>
    waitFor(`${serviceName} to come up`, async () => answering(await processes()), {
      timeoutMs: UP_TIMEOUT_MS,
      intervalMs: POLL_MS,
    }).catch((error: unknown) => {
      if (!(error instanceof PloyzError) || error.code !== "deadline_exceeded") throw error;
      const hint = `the log of the service ${serviceName} gives the reason`;
      throw new PloyzError(
        { code: "haproxy_down", message: "HAProxy did not start to answer in time", hint },
        { cause: error },
      );
    });

  return {
    control,
    processes,
    whenUp,
    async validate(folder) {
      try {
        await run(program, ["-C", folder, "-c", "-f", "haproxy.cfg"]);
      } catch (error) {
        if (!(error instanceof ExecError) || error.code !== "exec_failed") throw error;
        const words = error.stderr.trim().split("\n").slice(0, 6).join("\n");
        const message = `HAProxy rejects the configuration: ${words}`;
        const hint = "the configuration in effect is unchanged; haproxy must be 2.6 or newer";
        throw new PloyzError({ code: "gateway_config_invalid", message, hint }, { cause: error });
      }
    },
    async start() {
      await services.ensure({
        name: serviceName,
        description: "Ployz gateway (HAProxy)",
        argv: commandLine("-W"),
        // The other way of its master also tells systemd when it is ready.
        notifies: { argv: commandLine("-Ws") },
        restart: "always",
        startAtBoot: true,
        stopSignal: "SIGUSR1",
        stopTimeoutMs: 5000,
        confined: {
          // Ports below 1024, the workers' user and jail with its sockets, their signals, and their limit of open files.
          capabilities: [
            "net_bind_service",
            "setuid",
            "setgid",
            "sys_chroot",
            "chown",
            "fowner",
            "kill",
            "sys_resource",
          ],
          writes: [dir],
          families: ["AF_UNIX", "AF_INET", "AF_INET6"],
          compiles: true, // regular expressions
        },
      });
      return whenUp();
    },
    async reload() {
      const before = await whenUp();
      await control.ask("reload").catch(emptyWhenUnreachable);
      const after = await waitFor(
        "HAProxy to reload",
        async () => {
          const now = await processes();
          if (now === undefined || now.reloads <= before.reloads) return undefined;
          const fresh = now.workers.some((pid) => !before.workers.includes(pid));
          if (!fresh && now.failedReloads > 0) return now;
          return fresh ? answering(now) : undefined;
        },
        { timeoutMs: UP_TIMEOUT_MS, intervalMs: POLL_MS },
      );
      if (after.workers.every((pid) => before.workers.includes(pid)))
        throw new PloyzError({
          code: "gateway_reload_failed",
          message: "HAProxy could not load the new configuration; the old one stays in effect",
          hint: `see the log of ${serviceName}; the usual cause is another program on one of the ports`,
        });
      await waitFor(
        "the old HAProxy worker to stop listening",
        async () => {
          const states = await Promise.all(before.workers.map(info));
          return states.every((state) => !state.has("Pid") || state.get("Stopping") === "1") || undefined;
        },
        { timeoutMs: UP_TIMEOUT_MS, intervalMs: POLL_MS },
      );
      await endOldWorkers(control, await processes(), maxOldWorkers);
      return after;
    },
    state: async () => (await services.status(serviceName)).state,
    stop: () => services.remove(serviceName),
  };
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof PloyzError && error.code === "haproxy_unreachable";
}

function emptyWhenUnreachable(error: unknown): string {
  if (isUnreachable(error)) return "";
  throw error;
}

/**
 * Fails with `port_taken` when another program listens there. HAProxy binds with SO_REUSEPORT, and would silently share a port
 * with another HAProxy, or stop serving for a moment when it fails to bind: so it is found out before.
 */
export async function requireFree(listen: Listen): Promise<void> {
  const probe = createServer();
  const where = listen.host.includes(":")
    ? `[${listen.host}]:${listen.port}`
    : `${listen.host}:${listen.port}`;
  await new Promise<void>((resolve, reject) => {
    probe.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      reject(
        new PloyzError(
          {
            code: taken ? "port_taken" : "listen_failed",
            message: taken
              ? `${where} is taken by another program`
              : `cannot listen on ${where}: ${error.message}`,
            hint: taken
              ? `find it with: ss -ltnp 'sport = :${listen.port}', or choose another address`
              : "choose an address of this machine, and run as root for ports below 1024",
            details: { address: listen.host, port: listen.port },
          },
          { cause: error },
        ),
      );
    });
    const ipv6Only = listen.host.includes(":");
    probe.listen({ host: listen.host, port: listen.port, exclusive: true, ipv6Only }, () =>
      probe.close(() => resolve()),
    );
  });
}
