import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { run, spawnDetached, waitFor } from "@ployz/exec";
import { openProcessRuntime } from "@ployz/runtime";

// Runs inside a lab machine: starts instances of one small web server in one way, and says how long one takes until it answers and
// how much memory all processes of one need.
const { kind, count } = JSON.parse(process.env.BENCH_ARGS ?? "{}") as {
  readonly kind: "s6" | "process" | "runc" | "docker";
  readonly count: number;
};

interface Instance {
  readonly address: string;
  readonly port: number;
  /** Stands in the command line of the instance's topmost processes. */
  readonly marker: string;
}

interface Way {
  start(n: number): Promise<Instance>;
  stop(n: number): Promise<unknown>;
  end(): Promise<void>;
}

const WWW = "/srv/bench/www";
const httpd = (port: number, folder: string) => [
  "/bin/busybox",
  "httpd",
  "-f",
  "-p",
  String(port),
  "-h",
  folder,
];
const RUN_DIR = "/run/ployz-bench";

/** A supervised program, with no limits and no namespaces. */
const s6 = (): Way => {
  const folder = (n: number) => `/root/bench-s6/${n}`;
  return {
    async start(n) {
      const port = 8100 + n;
      await mkdir(folder(n), { recursive: true });
      const text = `#!/bin/sh\nexec ${httpd(port, WWW).join(" ")}\n`;
      await writeFile(`${folder(n)}/run`, text, { mode: 0o700 });
      await spawnDetached("s6-supervise", [folder(n)], { logFile: "/root/bench-s6.log" });
      return { address: "127.0.0.1", port, marker: folder(n) };
    },
    stop: (n) => run("s6-svc", ["-xd", folder(n)]),
    // A supervisor may be writing its last state.
    end: () => rm("/root/bench-s6", { recursive: true, force: true, maxRetries: 20 }),
  };
};

const ployz = async (): Promise<Way> => {
  const root = "/var/lib/ployz-bench";
  const runtime = await openProcessRuntime({
    ...{ root: `${root}/instances`, runDir: RUN_DIR, logDir: `${root}/logs`, cgroupParent: "ployz-bench" },
  });
  const network = {
    ...{
      bridge: "bench0",
      subnet: "10.98.1.0/24",
      gateway: "10.98.1.1",
      clusterCidr: "10.98.0.0/16",
      mtu: 1420,
    },
  };
  await runtime.ensureNetwork(network);
  const id = (n: number) => `bench.${n}`;
  return {
    async start(n) {
      const address = `10.98.1.${n + 10}`;
      await runtime.create({
        ...{ id: id(n), labels: {}, bundle: WWW, command: httpd(8080, "/app"), env: {}, address },
        ...{ dns: { server: "10.98.1.1", search: [] }, hostname: "bench", mounts: [], restart: "always" },
      });
      await runtime.start(id(n));
      return { address, port: 8080, marker: `${RUN_DIR}/${id(n)}/` };
    },
    stop: (n) => runtime.remove(id(n)),
    end: () => runtime.removeNetwork(network),
  };
};

/** runc's own example of a configuration, with our program in the machine's network: no supervisor, log or address. */
const runc = async (): Promise<Way> => {
  const root = "/root/bench-runc";
  const folder = (n: number) => `${root}/${n}`;
  const name = (n: number) => `bench-runc-${n}`;
  return {
    async start(n) {
      await mkdir(folder(n), { recursive: true });
      await run("runc", ["spec"], { cwd: folder(n) });
      const config = JSON.parse(await readFile(`${folder(n)}/config.json`, "utf8")) as {
        process: { terminal: boolean; args: readonly string[] };
        root: { path: string };
        linux: { namespaces: readonly { type: string }[] };
      };
      const port = 8200 + n;
      config.process = { ...config.process, terminal: false, args: httpd(port, "/www") };
      config.root.path = "/srv/bench/root";
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
      await writeFile(`${folder(n)}/config.json`, JSON.stringify(config));
      await spawnDetached("runc", ["run", "--bundle", folder(n), name(n)], { logFile: `${root}/log` });
      return { address: "127.0.0.1", port, marker: folder(n) };
    },
    stop: (n) => run("runc", ["delete", "--force", name(n)]),
    end: () => rm(root, { recursive: true, force: true }),
  };
};

const docker = async (): Promise<Way> => {
  const call = async (...argv: readonly string[]) =>
    (await run("docker", argv, { timeoutMs: 60_000 })).stdout.trim();
  await call("network", "create", "--subnet", "10.97.0.0/24", "bench");
  const name = (n: number) => `bench-${n}`;
  return {
    async start(n) {
      const address = `10.97.0.${n + 10}`;
      const where = ["--network", "bench", "--ip", address, "--restart", "unless-stopped"];
      const marker = await call("run", "-d", "--name", name(n), ...where, "bench:1", ...httpd(8080, "/www"));
      return { address, port: 8080, marker };
    },
    stop: (n) => call("rm", "-f", name(n)),
    async end() {
      await call("network", "rm", "bench");
    },
  };
};

const answers = ({ address, port }: Instance): Promise<true | undefined> =>
  new Promise((resolve) => {
    const asking = get({ host: address, port, path: "/", agent: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? true : undefined);
    });
    asking.on("error", () => resolve(undefined));
  });

/** Proportional set size (proc_pid_smaps(5)) of every process below those with the marker, and of themselves. */
async function memoryOf(instances: readonly Instance[]): Promise<number> {
  const numbers = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const read = (pid: number, file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
  const processes = await Promise.all(
    numbers.map(async (pid) => ({
      pid,
      parent: Number(/^PPid:\s*(\d+)/m.exec(await read(pid, "status"))?.[1] ?? 0),
      argv: await read(pid, "cmdline"),
    })),
  );
  const mine = new Set(
    processes
      .filter(({ argv }) => instances.some(({ marker }) => argv.includes(marker)))
      .map(({ pid }) => pid),
  );
  for (let before = -1; before !== mine.size; ) {
    before = mine.size;
    for (const { pid, parent } of processes) if (mine.has(parent)) mine.add(pid);
  }
  const sizes = await Promise.all(
    [...mine].map(async (pid) => Number(/^Pss:\s*(\d+)/m.exec(await read(pid, "smaps_rollup"))?.[1] ?? 0)),
  );
  return sizes.reduce((sum, size) => sum + size, 0) / 1000;
}

const ways = { s6, process: ployz, runc, docker };
const way = await ways[kind]();
const instances: Instance[] = [];
const times: number[] = [];
try {
  for (let n = 0; n < count; n++) {
    const begun = performance.now();
    const instance = await way.start(n);
    await waitFor("an answer", () => answers(instance), { timeoutMs: 30_000, intervalMs: 2 });
    times.push(performance.now() - begun);
    instances.push(instance);
  }
  const memory = (await memoryOf(instances)) / count;
  console.log(JSON.stringify({ start: times.reduce((sum, ms) => sum + ms, 0) / count, memory }));
} finally {
  for (let n = 0; n < count; n++) await way.stop(n);
  await way.end();
}
process.exit(0);
