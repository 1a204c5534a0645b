import { type ServiceHost, type ServiceSpec, spawnStream } from "@ployz/exec";

type Running = ReturnType<typeof spawnStream> & { readonly spec: ServiceSpec };

/** Runs services as plain processes: a killed one stays dead until the next power-on. */
export interface Processes extends ServiceHost {
  kill(name: string): Promise<void>;
  send(name: string, signal: NodeJS.Signals): void;
  /** Kills everything at once; keeps the definitions. */
  cut(): Promise<void>;
  /** Starts services like a supervisor at boot. */
  boot(): void;
}

export function processes(): Processes {
  const running = new Map<string, Running>();
  const specs = new Map<string, ServiceSpec>();
  const start = (spec: ServiceSpec) => {
    const [program, ...args] = spec.argv;
    const child = { ...spawnStream(program, args), spec };
    child.done.catch(() => undefined);
    child.stdout.resume();
    child.stderr.resume();
    running.set(spec.name, child);
  };
  const end = async (name: string, signal: NodeJS.Signals) => {
    const child = running.get(name);
    if (!child) return;
    running.delete(name);
    child.kill("SIGCONT");
    child.kill(signal);
    await child.done.catch(() => undefined);
  };
  const host: Processes = {
    kind: "s6",
    async ensure(spec) {
      const before = specs.get(spec.name);
      specs.set(spec.name, spec);
      if (running.has(spec.name) && JSON.stringify(before) === JSON.stringify(spec)) return "unchanged";
      const change = running.has(spec.name) ? "replaced" : "started";
      await end(spec.name, "SIGTERM");
      start(spec);
      return change;
    },
    stop: (name) => end(name, "SIGTERM"),
    async restart(name) {
      await end(name, "SIGTERM");
      const spec = specs.get(name);
      if (spec) start(spec);
    },
    async remove(name) {
      await end(name, "SIGKILL");
      specs.delete(name);
    },
    async signal(name, signal) {
      running.get(name)?.kill(signal);
    },
    status: async (name) => ({ state: running.has(name) ? "running" : "stopped" }) as never,
    list: async () => [...specs.keys()],
    kill: (name) => end(name, "SIGKILL"),
    send: (name, signal) => running.get(name)?.kill(signal),
    async cut() {
      for (const name of [...running.keys()]) await end(name, "SIGKILL");
    },
    boot() {
      for (const spec of specs.values()) if (!running.has(spec.name)) start(spec);
    },
  };
  return host;
}
