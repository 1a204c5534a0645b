import { randomBytes } from "node:crypto";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PloyzError } from "@ployz/errors";
import { ExecError, isAlive, type ProcessIdentity, run, spawnDetached, waitFor } from "@ployz/exec";
import { findInit, homeCgroups, killAll } from "./cgroup.ts";
import {
  clientAddress,
  guestDir,
  labNetns,
  machineAddress,
  machineCgroup,
  machineDir,
  machineMac,
  machineName,
  machineNetns,
  sshKey,
} from "./names.ts";
import { plug, unplug } from "./network.ts";
import { indexes, type LabSpec } from "./spec.ts";

const bootTimeoutMs = ({ kind }: LabSpec) => (kind === "vm" ? 300_000 : 60_000);

/** Writes a machine's own files to its disk: name, host key, authorized keys. */
export async function prepareDisk(spec: LabSpec, index: number): Promise<void> {
  const upper = join(machineDir(spec.name, index), "upper");
  const name = machineName(index);
  await mkdir(join(upper, "etc/ssh"), { recursive: true });
  await mkdir(join(upper, "root/.ssh"), { recursive: true, mode: 0o700 });
  const hosts = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"];
  for (const i of indexes(spec)) hosts.push(`${machineAddress(spec.name, i)} ${machineName(i)}`);
  await writeFile(join(upper, "etc/hosts"), `${hosts.join("\n")}\n`);
  await writeFile(join(upper, "etc/hostname"), `${name}\n`);
  const network = `ADDRESS=${machineAddress(spec.name, index)}\nGATEWAY=${clientAddress(spec.name)}\n`;
  if (spec.kind === "vm") await writeFile(join(upper, "etc/lab-network"), network);
  await writeFile(join(upper, "etc/machine-id"), `${randomBytes(16).toString("hex")}\n`, { mode: 0o444 });
  await run("ssh-keygen", [
    "-q",
    "-t",
    "ed25519",
    "-N",
    "",
    "-C",
    `root@${name}`,
    "-f",
    join(upper, "etc/ssh/ssh_host_ed25519_key"),
  ]);
  const key = sshKey(spec.name);
  await cp(`${key}.pub`, join(upper, "root/.ssh/authorized_keys"));
  if (index === 1 && spec.sshMesh) {
    await cp(key, join(upper, "root/.ssh/id_ed25519"));
    await cp(`${key}.pub`, join(upper, "root/.ssh/id_ed25519.pub"));
  }
}

/** Connects the machine and boots it from its disk; resolves once it accepts logins and its services have started. */
export async function boot(spec: LabSpec, index: number, signal?: AbortSignal): Promise<void> {
  const dir = machineDir(spec.name, index);
  const cgroup = machineCgroup(spec.name, index);
  await plug(spec.name, index);
  const log = join(dir, "console.log");
  const { layers, payload } = spec;
  const lower = payload !== undefined && index <= payload.upTo ? [payload.layer, ...layers] : layers;
  const args = [
    spec.kind,
    machineName(index),
    dir,
    spec.kind === "vm" ? (layers[0] ?? "") : lower.join(":"),
    machineNetns(spec.name, index),
    cgroup,
    machineMac(spec.name, index),
  ];
  const starter = await spawnDetached(join(guestDir, "start.sh"), args, { logFile: log });
  const init = await waitFor(
    `${machineName(index)} of lab ${spec.name} to boot (its console: ${log})`,
    async () => {
      if (!(await isAlive(starter))) throw await bootFailure(spec, index, log);
      const found = await findInit(cgroup);
      return found !== undefined && (await isUp(spec, index, found.pid)) ? found : undefined;
    },
    { timeoutMs: bootTimeoutMs(spec), ...(signal && { signal }) },
  );
  await writeFile(join(dir, "init.json"), JSON.stringify(init));
}

/** The init's own view of its files and network, without entering it. */
async function isUp(spec: LabSpec, index: number, init: number): Promise<boolean> {
  if (spec.kind === "vm") {
    const [program, ...args] = overSsh(spec, index, ["systemctl", "is-system-running", "--wait"]);
    return run(program, args, { timeoutMs: 120_000 }).then(
      () => true,
      (error: unknown) => error instanceof ExecError && error.exitCode === 1, // degraded: a unit failed, and it is up
    );
  }
  if (spec.kind === "ns") return exists(`/proc/${init}/root/run/lab/ready`);
  if (spec.docker && !(await exists(`/proc/${init}/root/run/docker.sock`))) return false;
  // A listener (state 0A) on port 22 (0016), IPv4 or IPv6: proc_net_tcp(5).
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${init}/net/${name}`, "utf8").catch(() => "")),
  );
  return tables.some((table) => /: [0-9A-F]+:0016 [0-9A-F]+:0000 0A /.test(table));
}

async function bootFailure(spec: LabSpec, index: number, log: string): Promise<PloyzError> {
  const text = await readFile(log, "utf8").catch(() => "");
  return new PloyzError({
    code: "machine_boot_failed",
    message: `${machineName(index)} of lab ${spec.name} exited during boot: ${text.trim().split("\n").slice(-5).join(" | ")}`,
    hint: `read ${log}`,
  });
}

/** Cuts the power: kills every process of the machine at once, and removes its network state. Its disk stays. */
export async function powerOff(spec: LabSpec, index: number): Promise<void> {
  const init = await liveInit(spec, index);
  if (init !== undefined) process.kill(init.pid, "SIGKILL");
  await killAll(machineCgroup(spec.name, index));
  await unplug(spec.name, index);
  await rm(join(machineDir(spec.name, index), "init.json"), { force: true });
}

/** `undefined` while the machine is off. */
export async function liveInit(spec: LabSpec, index: number): Promise<ProcessIdentity | undefined> {
  const text = await readFile(join(machineDir(spec.name, index), "init.json"), "utf8").catch(() => undefined);
  if (text === undefined) return findInit(machineCgroup(spec.name, index));
  const init = JSON.parse(text) as ProcessIdentity;
  return (await isAlive(init)) ? init : findInit(machineCgroup(spec.name, index));
}

/**
 * The argument vector that runs a command in a machine, as root's login would: in all its namespaces and in its cgroup,
 * so that `cut` and `pause` reach it too.
 * @throws PloyzError `machine_off`
 */
export async function enterArgv(
  spec: LabSpec,
  index: number,
  argv: readonly string[],
): Promise<readonly [string, ...string[]]> {
  const init = await liveInit(spec, index);
  if (init === undefined) {
    throw new PloyzError({
      code: "machine_off",
      message: `${machineName(index)} of lab ${spec.name} is off`,
      hint: `boot it with: lab on ${index} --name ${spec.name}`,
    });
  }
  if (spec.kind === "vm") return overSsh(spec, index, argv);
  const dirs = await homeCgroups(init.pid);
  const join_ =
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1/cgroup.procs"; shift; n=$((n - 1)); done; exec "$@"';
  const env = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "USER=root",
    "LANG=C.UTF-8",
    `TERM=${process.env.TERM ?? "dumb"}`,
  ];
  const enter = ["nsenter", "-t", String(init.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--"];
  return [
    "sh",
    "-c",
    join_,
    "sh",
    String(dirs.length),
    ...dirs,
    ...enter,
    "env",
    "-i",
    "-C",
    "/root",
    ...env,
    ...argv,
  ];
}

/** A virtual machine has its own kernel: SSH is the only way in. Root's login has the same environment as in the other kinds. */
function overSsh(spec: LabSpec, index: number, argv: readonly string[]): readonly [string, ...string[]] {
  const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const target = `root@${machineAddress(spec.name, index)}`;
  return [
    ...[
      "nsenter",
      `--net=/run/netns/${labNetns(spec.name)}`,
      "ssh",
      ...sshOptions(spec.name),
      "-o",
      "ConnectTimeout=5",
    ],
    ...[target, "env", "LANG=C.UTF-8", `TERM=${process.env.TERM ?? "dumb"}`, quoted],
  ] as unknown as readonly [string, ...string[]];
}

/** SSH options to log in to a machine of the lab from this host. */
export const sshOptions = (lab: string): readonly string[] => [
  ...[
    "-i",
    sshKey(lab),
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "LogLevel=ERROR",
  ],
];

export async function inMachine(
  spec: LabSpec,
  index: number,
  argv: readonly string[],
  options: Parameters<typeof run>[2] = {},
) {
  const [program, ...args] = await enterArgv(spec, index, argv);
  return run(program, args, options);
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    (error: NodeJS.ErrnoException) =>
      error.code !== "ENOENT" && error.code !== "ESRCH" && error.code !== "ENOTDIR",
  );
}
