import { get } from "node:http";
import { openDockerRuntime, openProcessRuntime } from "@ployz/runtime";

// Runs inside a lab machine: the parts of a deploy of one instance, without Ployz.
const { kind, image, bundle, command } = JSON.parse(process.env.BENCH_ARGS ?? "{}") as {
  kind: "docker" | "process";
  image?: string;
  bundle?: string;
  command: readonly string[];
};
const root = "/var/lib/ployz-bench";
const runtime =
  kind === "docker"
    ? await openDockerRuntime({ labelPrefix: "bench." })
    : await openProcessRuntime({
        root: `${root}/instances`,
        runDir: "/run/ployz-bench",
        logDir: `${root}/logs`,
        cgroupParent: "ployz-bench",
      });
const network = {
  bridge: "bench0",
  subnet: "10.98.1.0/24",
  gateway: "10.98.1.1",
  clusterCidr: "10.98.0.0/16",
  mtu: 1420,
};
await runtime.ensureNetwork(network);

const spec = (id: string, address: string) => ({
  id,
  labels: {},
  ...(image !== undefined && { image }),
  ...(bundle !== undefined && { bundle, user: "nobody" }),
  command,
  env: { PORT: "8080" },
  address,
  dns: { server: "10.98.1.1", search: [] },
  hostname: "bench",
  mounts: [],
  restart: "always" as const,
  stopGraceMs: 5_000,
});

const answers = (host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const asking = get({ host, port: 8080, path: "/", agent: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asking.on("error", () => resolve(false));
  });

async function life(id: string, address: string): Promise<{ up: number; down(): Promise<number> }> {
  const started = performance.now();
  await runtime.create(spec(id, address));
  await runtime.start(id);
  // The same intervals as ployzd's readiness check.
  for (let pause = 25; !(await answers(address)); pause = Math.min(pause * 1.5, 500)) {
    if (performance.now() - started > 30_000) throw new Error(`${id} did not answer within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  const up = performance.now() - started;
  return {
    up,
    async down() {
      const begun = performance.now();
      await runtime.stop(id);
      await runtime.remove(id);
      return performance.now() - begun;
    },
  };
}

const old = await life("bench.old", "10.98.1.2");
try {
  const next = await life("bench.new", "10.98.1.3");
  const down = await next.down();
  console.log(JSON.stringify({ up: next.up, down }));
} finally {
  await old.down();
  await runtime.removeNetwork(network);
}
process.exit(0);
