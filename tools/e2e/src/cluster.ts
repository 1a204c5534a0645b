import { readlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RunResult, run } from "@ployz/exec";
import { type Lab, type LabKind, openLab } from "@ployz/lab";
import { checkDocument } from "./document.ts";

/** The checkout. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
export const fixtures = join(root, "tools/e2e/fixtures");

/** A lab with Ployz on it, driven through `ployzctl` as an operator would. */
export interface Cluster extends AsyncDisposable {
  readonly lab: Lab;
  /** Runs ployzctl on machine `i` (1 is the founder). Fails on another exit code than those in `ok` (default 0). */
  ctl(i: number, args: readonly string[], options?: CtlOptions): Promise<RunResult>;
  /** Runs with `--json` and parses the result. */
  json<T = Record<string, unknown>>(i: number, args: readonly string[], options?: CtlOptions): Promise<T>;
  /** Writes a manifest and the folders that it names as bundles to machine `i`; resolves with the manifest's path. */
  put(i: number, manifest: string, bundles?: Readonly<Record<string, string>>): Promise<string>;
  /** GET through the gateway of machine `i`, asked from the machine itself. */
  get(i: number, host: string, path?: string): Promise<{ readonly status: number; readonly body: string }>;
}

export interface CtlOptions {
  readonly ok?: readonly number[];
  readonly input?: string;
  readonly timeoutMs?: number;
}

export interface ClusterOptions {
  readonly machines: number;
  readonly kind?: LabKind;
  readonly docker?: boolean;
  readonly bare?: boolean;
  /** Default: all machines are made members. 0: only the machines and, on m1, the payload. */
  readonly members?: number;
  /** The payload is preinstalled on m1 to this machine. Default: on all that become members. */
  readonly installed?: number;
  /** All machines are added by one command. */
  readonly atOnce?: boolean;
  /** Each machine gets a pool before Ployz is installed; Ployz keeps its volumes in a dataset of it. */
  readonly volumes?: boolean;
  /** Of that pool, which is sparse; default 4G. */
  readonly poolSize?: string;
  /** The last machine keeps its state on a small disk of its own, in memory: it can be filled, and must not lose power. */
  readonly smallDisk?: boolean;
  /** PostgreSQL and Redis are installed. */
  readonly databases?: boolean;
}

/** Default kind of machine: the same tests also run on virtual machines with their own kernels. */
const KIND: LabKind = process.env.PLOYZ_LAB_KIND === "vm" ? "vm" : "ns";
/** Emulation is this much slower. */
const PATIENCE = KIND === "vm" ? 10 : 1;

/** The payload of this checkout; built when it is not current. */
export async function payload(): Promise<string> {
  const { stdout } = await run(join(root, "tools/release/build-payload"), [], { timeoutMs: 300_000 });
  return stdout.trim().split("\n").at(-1) ?? "";
}

export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const {
    machines,
    kind = KIND,
    docker = false,
    bare = false,
    databases = false,
    members = machines,
    installed = Math.max(1, members),
    poolSize = "4G",
  } = options;
  // Adding a machine with a preinstalled payload is several seconds faster.
  const payloadUpTo = kind === "vm" ? 1 : installed;
  const lab = await openLab({
    machines,
    kind,
    docker,
    bare,
    databases,
    payload: await payload(),
    payloadUpTo,
  });
  try {
    const cluster = driver(lab);
    if (options.volumes === true)
      for (let i = 1; i <= machines; i++)
        await lab.sh(i, ["sh", "-c", POOL, "sh", poolSize], { timeoutMs: PATIENCE * 60_000 });
    if (options.smallDisk === true) await lab.sh(machines, ["sh", "-c", SMALL_DISK]);
    const root = options.volumes === true ? ROOT : [];
    const runtime = docker ? "docker" : "host";
    if (members > 0) await form(cluster, { members, runtime, root, atOnce: options.atOnce === true });
    return cluster;
  } catch (error) {
    await lab.down();
    throw error;
  }
}

/** On a sparse file. ZFS is already running; its cache file re-imports the pool after a power cut. */
const POOL = `set -e
truncate -s "$1" /var/lib/tank.img
zpool create -m none tank /var/lib/tank.img`;
const SMALL_DISK = "mkdir -p /var/lib/ployz && mount -t tmpfs -o size=2g,mode=0755 tmpfs /var/lib/ployz";
const ROOT = ["--zfs-root", "tank/ployz"];

/** One command adds all of them at once, and then any may take any subnet; one after the other, machine i has 10.101.i.0/24. */
async function form(
  cluster: Cluster,
  {
    members,
    runtime,
    root: storage,
    atOnce,
  }: {
    readonly members: number;
    readonly runtime: "docker" | "host";
    readonly root: readonly string[];
    readonly atOnce: boolean;
  },
): Promise<void> {
  await cluster.ctl(1, ["daemon", "install", "--runtime", runtime, ...storage]);
  await cluster.ctl(1, ["mesh", "init", "prod-cluster"]);
  const targets = Array.from({ length: members - 1 }, (_, index) => `root@m${index + 2}`);
  const key = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];
  const rounds = atOnce && targets.length > 0 ? [targets] : targets.map((target) => [target]);
  for (const round of rounds)
    await cluster.ctl(1, ["machine", "add", ...round, ...key, ...storage], { timeoutMs: 180_000 });
}

/** A test means what its manifests leave out. */
export const confirmed = (args: readonly string[]): readonly string[] =>
  args[0] === "deploy" && args[1] === "-f" ? ["deploy", "--yes", ...args.slice(1)] : args;

function driver(lab: Lab): Cluster {
  let sequence = 0;
  const ctl: Cluster["ctl"] = async (i, args, { ok = [0], input, timeoutMs = 120_000 } = {}) => {
    const result = await lab.sh(i, ["ployzctl", ...confirmed(args)], {
      timeoutMs: PATIENCE * timeoutMs,
      okExitCodes: Array.from({ length: 256 }, (_, code) => code),
      ...(input !== undefined && { input }),
    });
    if (!ok.includes(result.exitCode)) {
      throw new Error(
        `m${i}# ployzctl ${args.join(" ")}: exit code ${result.exitCode}\n${result.stdout}\n${result.stderr}`,
      );
    }
    return result;
  };
  return {
    lab,
    ctl,
    async json<T>(i: number, args: readonly string[], opts?: CtlOptions) {
      const document = JSON.parse((await ctl(i, [...args, "--json"], opts)).stdout) as T;
      await checkDocument(document);
      return document;
    },
    async put(i, manifest, bundles = {}) {
      const dir = `/root/deploy-${++sequence}`;
      await lab.sh(i, ["mkdir", "-p", dir]);
      await lab.sh(i, ["sh", "-c", 'cat > "$1"', "sh", `${dir}/ployz.toml`], { input: manifest });
      for (const [name, folder] of Object.entries(bundles)) {
        const { stdout } = await run("sh", ["-c", 'tar -C "$1" -c . | base64 -w0', "sh", folder]);
        await lab.sh(i, ["sh", "-c", 'mkdir -p "$1" && base64 -d | tar -C "$1" -x', "sh", `${dir}/${name}`], {
          input: stdout,
        });
      }
      return `${dir}/ployz.toml`;
    },
    async get(i, host, path = "/") {
      const { stdout } = await lab.sh(i, [
        "curl",
        "-s",
        "-m",
        "10",
        "-w",
        "\n%{http_code}",
        "-H",
        `Host: ${host}`,
        `http://127.0.0.1${path}`,
      ]);
      const end = stdout.lastIndexOf("\n");
      return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
    },
    async [Symbol.asyncDispose]() {
      await lab.down();
    },
  };
}

/** The payload's Node on a machine, for this host: by the machine's init. */
export async function installedNode(init: number): Promise<string> {
  const installed = `/proc/${init}/root/usr/local/lib/ployz`;
  return join(installed, await readlink(join(installed, "current")), "lib/node");
}

/** The payload's Node on a machine, for the machine. */
export const node = "/usr/local/lib/ployz/current/lib/node";

/** A manifest of one routed service from the fixture. */
export function webManifest(
  options: {
    readonly version?: string;
    readonly replicas?: number;
    readonly namespace?: string;
    readonly host?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly extra?: string;
    readonly readyTimeout?: string;
  } = {},
): string {
  const {
    version = "v1",
    replicas = 3,
    namespace = "prod",
    host = "www.example.test",
    env = {},
    extra = "",
    readyTimeout = "20s",
  } = options;
  const variables = Object.entries({ VERSION: version, ...env }).map(
    ([name, value]) => `${name} = ${JSON.stringify(value)}`,
  );
  return `namespace = "${namespace}"

[services.web]
bundle   = "./web"
command  = ["${node}", "server.mjs"]
env      = { ${variables.join(", ")} }
replicas = ${replicas}
ports    = { http = 8080 }
routes   = [{ host = "${host}", port = "http" }]
ready    = { http = "/healthz", port = "http", timeout = "${readyTimeout}" }
drain    = "10s"
${extra}`;
}

export const webBundle = { web: join(fixtures, "web") };
