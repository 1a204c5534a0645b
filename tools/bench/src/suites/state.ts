import { type BenchLab, withLab } from "../lab.ts";
import { type Comparison, compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const NODE = "/usr/local/lib/ployz/current/lib/node";
const SERVER = `import { createServer } from "node:http";
createServer((_, response) => response.end("ok")).listen(Number(process.env.PORT));
process.on("SIGTERM", () => process.exit(0));
`;
/** No retention: copies retired by one round would slow down the next. */
const POOL = `truncate -s 20G /var/lib/tank.img
zpool create -m none tank /var/lib/tank.img
mkdir -p /etc/ployz
printf '[storage]\\nzfs_root = "tank/ployz"\\n[retention]\\nlast = 1\\ndays = 0\\n' >>/etc/ployz/config.toml`;

/** Environments with data: small, large, and one of ten volumes. */
const SIZES = { small: [10], large: [4096], many: Array.from({ length: 10 }, () => 1) } as const;
type Size = keyof typeof SIZES;
const MOVED_MIB = 512;

type Measure = (lab: BenchLab, rounds: number, progress: (text: string) => void) => Promise<Comparison>;

/** Two machines with pools and these environments. */
const suite =
  (environments: Readonly<Record<string, readonly number[]>>, measure: Measure): Suite =>
  ({ rounds, progress }) =>
    withLab({ docker: false, machines: 2, progress }, async (lab) => {
      for (const machine of [1, 2]) await lab.on(machine, ["sh", "-ec", POOL]);
      await lab.startCluster("host");
      const key = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];
      await lab.sh(["ployzctl", "machine", "add", "root@m2", ...key]);
      await lab.sh(["mkdir", "-p", "/srv/bench/web"]);
      await write(lab, "/srv/bench/web/web.mjs", SERVER);
      for (const [name, sizes] of Object.entries(environments)) await environment(lab, name, sizes);
      return [await measure(lab, rounds, progress)];
    });

export const branchSuite = suite(SIZES, branches);
export const transferSuite = suite({ moved: [MOVED_MIB] }, transfers);
export const migrateSuite = suite({ moved: [MOVED_MIB] }, moves);

/** A namespace on m1 whose volumes hold random data, and the same data in datasets that Ployz does not know. */
async function environment(lab: BenchLab, namespace: string, sizes: readonly number[]): Promise<void> {
  const names = sizes.map((_, index) => `v${index}`);
  const volumes = names.map((name) => `${name} = "/${name}"`).join(", ");
  const deploy = async (machines: string) => {
    await write(lab, `/srv/bench/${namespace}.toml`, manifest(machines));
    await lab.sh(["ployzctl", "deploy", "-f", `/srv/bench/${namespace}.toml`]);
  };
  const manifest = (machines: string) => `namespace = "${namespace}"

[services.web]
bundle = "./web"
command = ["${NODE}", "web.mjs"]
env = { PORT = "8080" }
ports = { http = 8080 }
routes = [{ host = "${namespace}.example.test" }]
ready = { http = "/" }
drain = "0s"
volumes = { ${volumes} }
constraints = { machines = [${machines}] }
${names.map((name) => `\n[volumes.${name}]\n`).join("")}`;
  await deploy('"m1"');
  const fill = `zfs create -o mountpoint=none tank/raw-${namespace}
i=0
for size in ${sizes.join(" ")}; do
  zfs create -o mountpoint=/raw/${namespace}/v$i tank/raw-${namespace}/v$i
  head -c "\${size}M" /dev/urandom >/raw/${namespace}/v$i/file
  for dir in /var/lib/ployz/volumes/${namespace}.v$i.*/data; do cp /raw/${namespace}/v$i/file $dir/file; done
  i=$((i + 1))
done
sync`;
  await lab.sh(["sh", "-ec", fill], { timeoutMs: 600_000 });
  if (namespace === "moved") await deploy('"m1", "m2"');
}

/** Runs a script on m1 that prints milliseconds as its last line. */
async function timed(lab: BenchLab, body: string, after = ""): Promise<number> {
  const script = `t0=$(date +%s%N)\n${body}\nt1=$(date +%s%N)\n${after}\necho $(((t1 - t0) / 1000))`;
  const { stdout } = await lab.sh(["sh", "-ec", script], { timeoutMs: 600_000 });
  return Number(stdout.trim().split("\n").at(-1)) / 1000;
}

interface Done {
  readonly operation: string;
  readonly ms: number;
}
interface Step {
  readonly id: string;
  readonly ms?: number;
}

const ployz = async (lab: BenchLab, args: readonly string[]): Promise<Done> =>
  JSON.parse((await lab.sh(["ployzctl", ...args, "--json"], { timeoutMs: 600_000 })).stdout);
/** The steps of an operation with their durations. */
async function stepsOf(lab: BenchLab, { operation }: Done): Promise<readonly Step[]> {
  const { stdout } = await lab.sh(["ployzctl", "ops", "show", operation, "--json"]);
  return (JSON.parse(stdout) as { steps: readonly Step[] }).steps;
}
const took = (steps: readonly Step[], ...prefixes: readonly string[]): number =>
  steps
    .filter(({ id }) => prefixes.some((prefix) => id.startsWith(prefix)))
    .reduce((sum, { ms = 0 }) => sum + ms, 0);

function branches(lab: BenchLab, rounds: number, progress: (text: string) => void): Promise<Comparison> {
  const raw = (size: Size): Variant => ({
    name: `zfs snapshot and clone: ${LABELS[size]}`,
    sample: async () => {
      const clones = SIZES[size]
        .map((_, i) => `zfs clone -o mountpoint=/clone/v${i} tank/raw-${size}/v${i}@b tank/clone-v${i}`)
        .join("\n");
      const drop = SIZES[size].map((_, i) => `zfs unmount tank/clone-v${i}; zfs destroy tank/clone-v${i}`);
      const after = [...drop, `zfs destroy -r tank/raw-${size}@b`].join("\n");
      return { time: await timed(lab, `zfs snapshot -r tank/raw-${size}@b\n${clones}`, after) };
    },
  });
  const copy = (size: Size): Variant => ({
    name: `full copy (cp): ${LABELS[size]}`,
    sample: async () => {
      const prepare = "zfs create -o mountpoint=/copy tank/copy";
      await lab.sh(["sh", "-ec", prepare]);
      const drop = "until { zfs unmount tank/copy; zfs destroy tank/copy; }; do sleep 0.1; done 2>/dev/null";
      return { time: await timed(lab, `cp -r /raw/${size} /copy/`, drop) };
    },
  });
  const branch = (size: Size): readonly Variant[] => {
    const once = async () => {
      const done = await ployz(lab, ["branch", "apply", size, "b", "--volume-mode", "branch"]);
      const steps = await stepsOf(lab, done);
      await lab.sh(["ployzctl", "namespace", "rm", "b", "--yes"]);
      return { done, steps };
    };
    return [
      {
        name: `Ployz branch, whole: ${LABELS[size]}`,
        sample: async () => ({ time: (await once()).done.ms }),
      },
      {
        name: `Ployz branch, its volumes: ${LABELS[size]}`,
        sample: async () => {
          const { steps } = await once();
          const clones = steps.filter(({ id }) => id.startsWith("clone ")).map(({ ms = 0 }) => ms);
          return { time: took(steps, "snapshot ") + Math.max(...clones) };
        },
      },
    ];
  };
  return compare({
    title: "Branch of an environment with data, one machine",
    variants: [
      ...(["small", "large", "many"] as const).flatMap((size) => [raw(size), ...branch(size)]),
      copy("small"),
      copy("large"),
    ],
    metrics: [{ name: "time", unit: "ms", better: "lower" }],
    baseline: `zfs snapshot and clone: ${LABELS.small}`,
    rounds,
    notes: [
      "The whole operation also starts and checks a host process, writes the journal, commits, and waits for gateway and DNS on two machines; `its volumes` is the step of the snapshot and the slowest of the clones, which are made side by side.",
    ],
    progress,
  });
}

const LABELS: Readonly<Record<Size, string>> = {
  small: "1 volume of 10 MiB",
  large: "1 volume of 4 GiB",
  many: "10 volumes",
};

/** All over the overlay, from m1 to m2, into a new dataset. */
function transfers(lab: BenchLab, rounds: number, progress: (text: string) => void): Promise<Comparison> {
  const mib = (ms: number) => MOVED_MIB / (ms / 1000);
  const source = "tank/raw-moved/v0@t";
  const drop = () => lab.on(2, ["sh", "-c", "zfs destroy -r tank/received"]);
  const variants: readonly Variant[] = [
    {
      name: "raw TCP socket (socat)",
      sample: async () => {
        const listening = "socat -u -b 131072 TCP-LISTEN:7777,bind=10.101.2.1,reuseaddr STDOUT";
        const receiving = lab.on(2, ["sh", "-ec", `${listening} | zfs receive -u tank/received; date +%s%N`]);
        const send = `until ssh m2 'ss -Hltn sport = :7777' | grep -q .; do sleep 0.1; done
date +%s%N
zfs send ${source} | socat -u -b 131072 STDIN TCP:10.101.2.1:7777`;
        const { stdout } = await lab.sh(["sh", "-ec", send]);
        const ms = (Number((await receiving).stdout) - Number(stdout)) / 1e6;
        await drop();
        return { rate: mib(ms) };
      },
    },
    {
      name: "ssh",
      sample: async () => {
        const ms = await timed(lab, `zfs send ${source} | ssh 10.101.2.1 zfs receive -u tank/received`);
        await drop();
        return { rate: mib(ms) };
      },
    },
    {
      name: "Ployz, a volume's transfer",
      sample: async () => {
        const done = await ployz(lab, [
          "branch",
          "apply",
          "moved",
          "b",
          "--volume-mode",
          "branch",
          "--to",
          "m2",
        ]);
        const ms = took(await stepsOf(lab, done), "transfer ");
        await lab.sh(["ployzctl", "namespace", "rm", "b", "--yes"]);
        return { rate: mib(ms) };
      },
    },
  ];
  const prepare = `ssh-keyscan -t ed25519 10.101.2.1 m2 >>/root/.ssh/known_hosts; zfs snapshot ${source}`;
  return lab.sh(["sh", "-c", prepare]).then(() =>
    compare({
      title: `Transfer of ${MOVED_MIB} MiB between two machines over the overlay`,
      variants,
      metrics: [{ name: "rate", unit: "MiB/s", better: "higher" }],
      baseline: "raw TCP socket (socat)",
      rounds,
      notes: ["zfs-fuse and wireguard-go of both machines and what copies share two cores; random data."],
      progress,
    }),
  );
}

/** There and back: measures a move that finds an old copy on its target. */
function moves(lab: BenchLab, rounds: number, progress: (text: string) => void): Promise<Comparison> {
  let to = 1;
  const once = async () => {
    to = 3 - to;
    const load = lab.load("moved.example.test");
    const done = await ployz(lab, ["migrate", "apply", "moved/web", "--to", `m${to}`]);
    const steps = await stepsOf(lab, done);
    return { gap: await load.end(), floor: took(steps, "stop ", "final ", "start ", "ready ") };
  };
  return compare({
    title: "Downtime of a migration",
    variants: [
      {
        name: "floor: stop, final delta, start, ready",
        sample: async () => ({ time: (await once()).floor }),
      },
      { name: "longest gap that a client saw", sample: async () => ({ time: (await once()).gap }) },
    ],
    metrics: [{ name: "time", unit: "ms", better: "lower" }],
    baseline: "floor: stop, final delta, start, ready",
    rounds,
    progress,
  });
}

const write = (lab: BenchLab, path: string, text: string) =>
  lab.sh(["sh", "-c", 'cat > "$0"', path], { input: text });
