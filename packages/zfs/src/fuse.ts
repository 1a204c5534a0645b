import { mkdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { findProgram, run, type ServiceHost, waitFor } from "@ployz/exec";
import { argv } from "./argv.ts";
import { call } from "./call.ts";
import { probeZfs, requireAvailable, type ZfsCapabilities } from "./capabilities.ts";
import { PloyzError } from "./error-codes.ts";
import { hasCode } from "./errors.ts";

/** Compiled into zfs-fuse. */
const RUN_DIR = "/run/zfs";
const PID_FILE = `${RUN_DIR}/zfs-fuse.pid`;

/** How to run zfs-fuse. */
export interface ZfsFuseOptions {
  readonly services: ServiceHost;
  /** Default `ployz-zfs-fuse`. */
  readonly serviceName?: string;
  /** MiB of cache, 16 to 16,384; zfs-fuse's own default is 128. */
  readonly cacheMb?: number;
  /** Default 15,000 ms. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What had to be done, and the ZFS that answers now. */
export interface ZfsFuseResult {
  /** `unchanged`: ZFS answered already, be it the kernel's or a running zfs-fuse. */
  readonly outcome: "started" | "repaired" | "unchanged";
  readonly capabilities: ZfsCapabilities;
  /** Datasets remounted after a killed zfs-fuse left their mounts dead. */
  readonly remounted: readonly string[];
  /** zfs's messages for datasets it could not mount (a mountpoint that is not empty). ZFS works regardless. */
  readonly warning?: string;
}

/**
 * Starts ZFS on a machine that has zfs-fuse, and cleans up after a killed zfs-fuse: its pid file and mounts that return ENOTCONN.
 * @throws PloyzError `zfs_unavailable` with reason and fix.
 */
export async function ensureZfsFuse(options: ZfsFuseOptions): Promise<ZfsFuseResult> {
  try {
    return await settle(options);
  } catch (error) {
    if (!hasCode(error, "zfs_unavailable")) throw error;
    return settle(options); // it may have answered the probe and died after it; a second failure is final
  }
}

async function settle(options: ZfsFuseOptions): Promise<ZfsFuseResult> {
  const before = await probeZfs();
  if (!before.available) {
    if (!before.startable) requireAvailable(before);
    await start(options);
  }
  const capabilities = requireAvailable(before.available ? before : await probeZfs());
  if (capabilities.implementation === "openzfs") return { outcome: "unchanged", capabilities, remounted: [] };
  const remounted = await unmountDead();
  const warning = !before.available || remounted.length > 0 ? await mountAll() : undefined;
  const outcome = !before.available ? "started" : remounted.length > 0 ? "repaired" : "unchanged";
  return { outcome, capabilities, remounted, ...(warning !== undefined && { warning }) };
}

async function start(options: ZfsFuseOptions): Promise<void> {
  const program = await findProgram("zfs-fuse");
  if (program === undefined) throw new Error("zfs-fuse vanished after it was probed");
  if (!(await exists("/dev/fuse"))) {
    throw new PloyzError({
      code: "zfs_unavailable",
      message: "zfs-fuse needs /dev/fuse, which this machine lacks",
      hint: "modprobe fuse, or give the container /dev/fuse",
    });
  }
  await mkdir(RUN_DIR, { recursive: true });
  if (!(await holdsRunningPid(PID_FILE))) await rm(PID_FILE, { force: true }); // zfs-fuse takes a stale one for a running daemon
  await options.services.ensure({
    name: options.serviceName ?? "ployz-zfs-fuse",
    description: "ZFS in userspace",
    argv: [
      program,
      "--no-daemon",
      "--no-kstat-mount",
      "-p",
      PID_FILE,
      ...(options.cacheMb === undefined ? [] : ["-m", String(options.cacheMb)]),
    ],
    restart: "always",
    stopTimeoutMs: 30_000, // it writes out what it holds
  });
  await waitFor("zfs-fuse to answer", async () => ((await probeZfs()).available ? true : undefined), {
    timeoutMs: options.timeoutMs ?? 15_000,
    ...(options.signal && { signal: options.signal }),
  });
}

/** Mounts whose daemon died answer every call with ENOTCONN until they are unmounted, which only a lazy unmount does. */
async function unmountDead(): Promise<readonly string[]> {
  const unmounted: string[] = [];
  for (const { dataset, path } of parseFuseMounts(await readFile("/proc/self/mounts", "utf8"))) {
    // Not stat(2): for a second the kernel answers it from its cache, even for a dead mount.
    const dead = await statfs(path).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === "ENOTCONN",
    );
    if (!dead) continue;
    await run("umount", ["-l", path]);
    unmounted.push(dataset);
  }
  return unmounted;
}

async function mountAll(): Promise<string | undefined> {
  try {
    await call(argv.mountAll());
    return undefined;
  } catch (error) {
    if (!hasCode(error, "mount_failed")) throw error;
    return error.message;
  }
}

/** Parses /proc/self/mounts (proc(5)), where blanks are octal escapes. */
export function parseFuseMounts(
  text: string,
): readonly { readonly dataset: string; readonly path: string }[] {
  return text
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , type]) => type === "fuse.zfs")
    .map(([dataset = "", path = ""]) => ({
      dataset,
      path: path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    }));
}

async function holdsRunningPid(file: string): Promise<boolean> {
  const pid = (await readFile(file, "utf8").catch(() => "")).trim();
  if (!/^\d+$/.test(pid)) return false;
  const comm = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  return comm.trim() === "zfs-fuse";
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
