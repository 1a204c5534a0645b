import { chmod, chown, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { InstanceSpec } from "../runtime.ts";
import {
  environment,
  FINISH_SCRIPT,
  launchScript,
  loggerScript,
  type Programs,
  RUN_SCRIPT,
} from "./launch.ts";
import { planRootfs, resolvPoint } from "./mounts.ts";
import type { InstancePaths } from "./paths.ts";
import type { User } from "./users.ts";

export interface FolderInput {
  readonly spec: InstanceSpec;
  readonly paths: InstancePaths;
  readonly user: User;
  readonly programs: Programs;
  readonly hidden: readonly string[];
  readonly log: { readonly maxBytes: number; readonly maxFiles: number };
  readonly cgroups: readonly string[];
}

/** Lays out everything under the run folder that the supervisor starts from. The folder must not be in use. */
export async function makeRunFolder(input: FolderInput): Promise<void> {
  const { spec, paths, user, programs } = input;
  await removeRunFolder(paths);
  const rootfs = await planRootfs(input);
  await mkdir(paths.service, { recursive: true });
  await chmod(paths.run, 0o700);
  await mkdir(paths.rootfs);
  for (const entry of rootfs.skeleton) {
    const path = join(paths.rootfs, entry.path);
    if (entry.kind === "dir") await mkdir(path);
    if (entry.kind === "file") await writeFile(path, "");
    if (entry.kind === "link") await symlink(entry.target ?? "", path);
  }
  await writeFile(join(paths.run, "fstab"), rootfs.fstab);
  await writeFile(join(paths.run, "hosts"), hosts(spec));
  await mkdir(join(paths.run, "resolv"));
  for (const name of new Set(["resolv.conf", basename(await resolvPoint())])) {
    await writeFile(join(paths.run, "resolv", name), resolvConf(spec));
  }
  await writeEnvironment(paths, environment(spec, user), user);
  await rm(paths.scripts, { recursive: true, force: true });
  await mkdir(paths.scripts, { recursive: true, mode: 0o700 });
  const script = (service: string, name: string, text: string) =>
    linked(join(service, name), join(paths.scripts, `${basename(service)}-${name}`), text);
  await script(paths.service, "run", RUN_SCRIPT);
  await script(paths.service, "finish", FINISH_SCRIPT);
  await script(paths.service, "launch", launchScript(input));
  await writeFile(join(paths.service, "cgroups"), input.cgroups.map((file) => `${file}\n`).join(""));
  await writeFile(join(paths.service, "notification-fd"), "3\n");
  await writeFile(join(paths.service, "down"), ""); // it goes up when asked, after its supervisor is there
  if (spec.restart === "no") await writeFile(join(paths.service, "once"), "");
  await symlink(paths.state, join(paths.service, "state"));
  for (const logger of paths.loggers) {
    await mkdir(logger.dir, { recursive: true, mode: 0o750 });
    await mkdir(logger.service);
    await script(logger.service, "run", loggerScript(programs, logger, input.log));
  }
  await run(programs.mkfifo, ["-m", "0600", "--", ...paths.loggers.map((logger) => logger.fifo)]);
}

/** Nothing is mounted in there outside the instance's own mount namespace; this makes sure before deleting. */
export async function removeRunFolder(paths: InstancePaths): Promise<void> {
  const mountinfo = await readFile("/proc/self/mountinfo", "utf8");
  if (mountinfo.split("\n").some((line) => line.split(" ")[4]?.startsWith(`${paths.run}/`) === true)) {
    throw new PloyzError({
      code: "instance_busy",
      message: `something is mounted under ${paths.run}`,
      hint: `umount it, then repeat: grep ${paths.run} /proc/self/mountinfo`,
    });
  }
  await rm(paths.run, { recursive: true, force: true });
}

export function resolvConf(spec: InstanceSpec): string {
  const search = spec.dns.search.length === 0 ? "" : `search ${spec.dns.search.join(" ")}\n`;
  return `${search}nameserver ${spec.dns.server}\noptions ndots:1 timeout:2\n`;
}

export function hosts(spec: InstanceSpec): string {
  return `127.0.0.1 localhost\n${spec.address} ${spec.hostname}\n`;
}

async function writeEnvironment(
  paths: InstancePaths,
  env: Readonly<Record<string, string>>,
  user: User,
): Promise<void> {
  const base = join(paths.run, "env");
  for (const [kind, wanted] of [
    ["set", true],
    ["empty", false],
  ] as const) {
    const dir = join(base, kind);
    await mkdir(dir, { recursive: true, mode: 0o755 });
    for (const [name, value] of Object.entries(env)) {
      if ((value !== "") !== wanted) continue;
      const file = join(dir, name);
      await writeFile(file, wanted ? value : "\n", { mode: 0o400 });
      await chown(file, user.uid, user.gid);
    }
  }
}

/** /run is mounted noexec on Debian: what is executed there is a link to a file that may be. */
async function linked(path: string, script: string, text: string): Promise<void> {
  await writeFile(script, text);
  await chmod(script, 0o700);
  await symlink(script, path);
}
