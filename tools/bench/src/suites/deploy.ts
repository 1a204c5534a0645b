import { type BenchLab, withLab } from "../lab.ts";
import { type Comparison, compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const METRICS = [{ name: "time", unit: "ms", better: "lower" }] as const;
const PARTS = "raw parts: create, start, ready";
const NODE = "/usr/local/lib/ployz/current/lib/node";
const SERVER = `import { createServer } from "node:http";
createServer((_, response) => response.end("ok")).listen(Number(process.env.PORT));
process.on("SIGTERM", () => process.exit(0));
`;
// As the first process of a container busybox httpd itself would ignore SIGTERM.
const HTTPD = [
  "/bin/busybox",
  "sh",
  "-c",
  "trap 'exit 0' TERM; /bin/busybox httpd -f -p 8080 -h /www & wait",
];

/** One service with one instance; each round changes one variable of its environment. The gateway routes to it. */
export const deploySuite: Suite = (options) =>
  withLab({ docker: false, progress: options.progress }, (lab) => hostProcesses(lab, options));

export const dockerDeploySuite: Suite = (options) =>
  withLab({ docker: true, progress: options.progress }, (lab) => containers(lab, options));

async function hostProcesses(
  lab: BenchLab,
  { rounds, progress }: Parameters<Suite>[0],
): Promise<readonly Comparison[]> {
  await lab.startCluster("host");
  await lab.sh(["mkdir", "-p", "/srv/bench/web"]);
  await write(lab, "/srv/bench/web/web.mjs", SERVER);
  const command = [NODE, "web.mjs"];
  const raw = { kind: "process", bundle: "/srv/bench/web", command };
  const manifest = `bundle = "./web"\nuser = "nobody"\ncommand = ${JSON.stringify(command)}`;
  return [
    await compare({
      title: "Deploy of one changed service, host process, one machine",
      variants: [...parts(lab, raw), ...deploys(lab, manifest)],
      metrics: METRICS,
      baseline: PARTS,
      rounds,
      notes: [EXPLAINED],
      progress,
    }),
  ];
}

async function containers(
  lab: BenchLab,
  { rounds, progress }: Parameters<Suite>[0],
): Promise<readonly Comparison[]> {
  await lab.sh(["sh", "-c", "mkdir -p /srv/bench/root/bin /srv/bench/root/www"]);
  await write(lab, "/srv/bench/root/www/index.html", "ok\n");
  await lab.sh([
    "sh",
    "-c",
    "cp $(command -v busybox) /srv/bench/root/bin/ && tar -C /srv/bench/root -c . | docker import - bench:1",
  ]);
  await lab.startCluster("docker");
  const manifest = `image = "bench:1"\ncommand = ${JSON.stringify(HTTPD)}`;
  const swarm = await startSwarm(lab);
  return [
    await compare({
      title: "Deploy of one changed service, container, one machine",
      variants: [
        ...parts(lab, { kind: "docker", image: "bench:1", command: HTTPD }),
        ...deploys(lab, manifest),
        ...swarm.variants,
      ],
      metrics: METRICS,
      baseline: PARTS,
      rounds,
      missing: swarm.missing,
      notes: [
        EXPLAINED,
        "`docker service update` has no readiness check and no routing mesh here; by default it also watches each task for 5 s.",
      ],
      progress,
    }),
  ];
}

const EXPLAINED =
  "The parts are measured through @ployz/runtime on the same machine. An operation also resolves, leases, journals, commits, waits for gateway and DNS, and retires the old instance; the command adds the start of ployzctl.";

function parts(lab: BenchLab, args: object): readonly Variant[] {
  const once = () => lab.worker<{ up: number; down: number }>("raw-deploy", args);
  return [
    { name: PARTS, sample: async () => ({ time: (await once()).up }) },
    {
      name: "raw parts, and stop and remove of the old",
      sample: async () => {
        const { up, down } = await once();
        return { time: up + down };
      },
    },
  ];
}

function deploys(lab: BenchLab, workload: string): readonly Variant[] {
  let version = 0;
  const once = async () => {
    version += 1;
    await write(
      lab,
      "/srv/bench/ployz.toml",
      `namespace = "bench"

[services.web]
${workload}
env = { PORT = "8080", V = "${version}" }
ports = { http = 8080 }
routes = [{ host = "www.example.test", port = "http" }]
ready = { http = "/", port = "http", timeout = "30s" }
drain = "0s"
`,
    );
    const argv = ["ployzctl", "deploy", "-f", "/srv/bench/ployz.toml", "--json"];
    const { ms, stdout } = await lab.worker<{ ms: number; stdout: string }>("wall-time", {
      argv,
      count: 1,
      warm: false,
    });
    const result = JSON.parse(stdout) as { changed: boolean; ms: number };
    if (!result.changed) throw new Error("the deploy changed nothing");
    return { whole: ms, operation: result.ms };
  };
  return [
    { name: "Ployz: the operation", sample: async () => ({ time: (await once()).operation }) },
    { name: "Ployz: the whole command", sample: async () => ({ time: (await once()).whole }) },
  ];
}

/** A separate engine: swarm refuses to run with live-restore, which Ployz's engine uses. */
const SWARM_ENGINE = `
echo '{}' >/run/swarm.json
setsid dockerd --config-file /run/swarm.json --data-root /var/lib/docker/swarm --exec-root /run/swarm --pidfile /run/swarm.pid \\
  --host unix:///run/swarm.sock --bridge none --iptables=false >/var/log/swarm.log 2>&1 </dev/null &
for i in $(seq 100); do docker -H unix:///run/swarm.sock version >/dev/null 2>&1 && exit 0; sleep 0.2; done
cat /var/log/swarm.log >&2; exit 1`;

async function startSwarm(
  lab: BenchLab,
): Promise<{ readonly variants: readonly Variant[]; readonly missing: readonly string[] }> {
  const docker = ["docker", "-H", "unix:///run/swarm.sock"];
  let version = 0;
  const update = (name: string, more: readonly string[]): Variant => ({
    name,
    sample: async () => {
      version += 1;
      const change = ["--env-add", `V=${version}`, "--update-order", "start-first", ...more];
      const argv = [...docker, "service", "update", "--quiet", "--detach=false", ...change, "bench"];
      const { ms } = await lab.worker<{ ms: number }>("wall-time", { argv, count: 1, warm: false });
      return { time: ms };
    },
  });
  try {
    await lab.sh(["sh", "-c", SWARM_ENGINE]);
    await lab.sh([...docker, "swarm", "init", "--advertise-addr", "127.0.0.1"]);
    await lab.sh(["sh", "-c", `docker save bench:1 | ${docker.join(" ")} load`]);
    const create = ["service", "create", "--quiet", "--detach=false", "--name", "bench"];
    await lab.sh([...docker, ...create, "--stop-grace-period", "5s", "--env", "V=0", "bench:1", ...HTTPD]);
  } catch (error) {
    return {
      variants: [],
      missing: [`docker service update: ${error instanceof Error ? error.message : ""}`],
    };
  }
  return {
    variants: [
      update("docker service update", []),
      update("docker service update, watching for 1 ms", ["--update-monitor", "1ms"]),
    ],
    missing: [],
  };
}

const write = (lab: BenchLab, path: string, text: string) =>
  lab.sh(["sh", "-c", 'cat > "$0"', path], { input: text });
