import { access, constants, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PloyzError } from "@ployz/errors";
import { findProgram, run } from "@ployz/exec";
import { removeCgroup } from "./cgroup.ts";
import { boot, prepareDisk } from "./machine.ts";
import { checkLabName, labCgroup, machineDir, maxMachines, sshKey, stateDir } from "./names.ts";
import { makeLabNetwork, removeNetworks } from "./network.ts";
import { ensurePayload, installPayload } from "./payload.ts";
import { ensureRoot } from "./roots.ts";
import { claimLab, indexes, type LabKind, type LabSpec, writeSpec } from "./spec.ts";

export interface UpOptions {
  readonly name: string;
  readonly machines: number;
  readonly kind?: LabKind;
  /** A Docker engine on every machine. */
  readonly docker?: boolean;
  /** Machines without the programs that Ployz needs; `apt-get install` of them works from a folder on the machine. */
  readonly bare?: boolean;
  /** PostgreSQL and Redis are installed, and not started. Neither with `docker` nor with `bare`. */
  readonly databases?: boolean;
  /** Virtual machines only: a folder copied to each machine's disk (ext4) at /dev/vdc. */
  readonly share?: string;
  /** Release tarball, installed on m1. */
  readonly payload?: string;
  /** Install it on m1 to this machine. Default 1; virtual machines other than m1 have none. */
  readonly payloadUpTo?: number;
  /** Default true: m1 holds the private key that all machines accept for root. */
  readonly sshMesh?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (line: string) => void;
}

/** Creates a lab and boots all its machines in parallel. Removes everything after a failure. */
export async function up(options: UpOptions): Promise<LabSpec> {
  const name = checkLabName(options.name);
  await checkRequest(options);
  const docker = options.docker ?? false;
  const bare = options.bare ?? false;
  const databases = options.databases ?? false;
  const kind = options.kind ?? "ns";
  const layers = await ensureRoot({ kind, docker, bare, databases }, (missing) =>
    options.onProgress?.(`building the cached root (${missing.join(", ")}): about a minute, once`),
  );
  const payload =
    options.payload === undefined || kind === "vm"
      ? undefined
      : await ensurePayload(options.payload, layers, options.signal);
  const spec: LabSpec = {
    name,
    kind,
    machines: options.machines,
    docker,
    bare,
    sshMesh: options.sshMesh ?? true,
    layers,
    ...(payload !== undefined && { payload: { layer: payload, upTo: options.payloadUpTo ?? 1 } }),
  };
  await claimLab(name);
  try {
    await writeSpec(spec);
    await raiseInotifyLimit();
    await mkdir(join(stateDir(name), "ssh"), { mode: 0o700 });
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", `lab ${name}`, "-f", sshKey(name)]);
    await makeLabNetwork(name);
    await all(
      indexes(spec).map(async (index) => {
        await prepareDisk(spec, index);
        if (options.share !== undefined) await shareFolder(spec, index, options.share);
        await boot(spec, index, options.signal);
      }),
    );
    if (options.payload !== undefined && kind === "vm")
      await installPayload(spec, options.payload, options.signal);
    return spec;
  } catch (error) {
    await down(name);
    throw error;
  }
}

/** Settles after all have settled, so that a clean-up does not race with them. Throws the first error. */
export async function all(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Removes everything of this lab from this host. Does not rely on its state, so it also removes an incomplete lab. */
export async function down(name: string): Promise<void> {
  checkLabName(name);
  const state = stateDir(name);
  if (await isReadable(state)) {
    // Machines that an `up` was starting when it was killed: see guest/start.sh.
    await writeFile(join(state, "gone"), "");
    await run("flock", ["--wait", "20", state, "true"]);
  }
  await removeCgroup(labCgroup(name));
  await removeNetworks(name);
  // The machines' mounts disappeared with their mount namespaces; --one-file-system in case one remains.
  await run("rm", ["-rf", "--one-file-system", state], { timeoutMs: 120_000 });
}

/** All checks that can fail before anything is created. */
async function checkRequest(options: UpOptions): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new PloyzError({
      code: "not_root",
      message: "a lab needs root: it creates namespaces and mounts",
      hint: "run it with sudo",
    });
  }
  if (!Number.isInteger(options.machines) || options.machines < 1 || options.machines > maxMachines) {
    throw new PloyzError({
      code: "lab_size_invalid",
      message: `cannot create a lab of ${options.machines} machines`,
      hint: `use 1 to ${maxMachines}`,
    });
  }
  if (options.databases === true && (options.docker === true || options.bare === true)) {
    throw new PloyzError({
      code: "lab_kind_invalid",
      message: "--databases excludes --bare and --docker",
    });
  }
  if (
    options.kind === "vm" &&
    (options.docker === true || options.bare === true || options.databases === true)
  ) {
    throw new PloyzError({
      code: "lab_kind_invalid",
      message: "--kind vm excludes --docker, --databases and --bare",
    });
  }
  if (options.kind === "vm" && (options.payloadUpTo ?? 1) > 1) {
    throw new PloyzError({
      code: "lab_kind_invalid",
      message: "--kind vm installs the payload on m1 only",
    });
  }
  if (options.payload !== undefined && !(await isReadable(options.payload))) {
    throw new PloyzError({
      code: "payload_missing",
      message: `cannot read the payload ${options.payload}`,
    });
  }
  const programs = ["debootstrap", "flock", "ip", "nft", "nsenter", "ssh-keygen", "unshare"];
  if (options.kind === "systemd") programs.push("systemd-nspawn");
  if (options.kind === "vm") programs.push("qemu-system-x86_64", "qemu-img", "mke2fs");
  const found = await Promise.all(programs.map((program) => findProgram(program)));
  const missing = programs.filter((_, i) => found[i] === undefined);
  if (missing.length > 0) {
    throw new PloyzError({
      code: "programs_missing",
      message: `this host lacks ${missing.join(", ")}`,
      hint: "install the Debian packages that tools/lab/packages.txt lists",
    });
  }
}

async function shareFolder(spec: LabSpec, index: number, folder: string): Promise<void> {
  const disk = join(machineDir(spec.name, index), "share.ext4");
  await run("mke2fs", ["-q", "-t", "ext4", "-d", folder, disk, "2G"], { timeoutMs: 300_000 });
}

const isReadable = (path: string): Promise<boolean> =>
  access(path, constants.R_OK).then(
    () => true,
    () => false,
  );

/** Many wireguard-go, systemd and node processes share one kernel here; Debian's default of 128 is for one machine. */
async function raiseInotifyLimit(): Promise<void> {
  const file = "/proc/sys/fs/inotify/max_user_instances";
  if (Number(await readFile(file, "utf8")) < 4096) await writeFile(file, "4096");
}
