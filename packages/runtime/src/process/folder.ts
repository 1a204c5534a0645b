import { chmod, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { InstancePaths } from "./paths.ts";
import type { Programs } from "./programs.ts";
import { finishScript, loggerScript, runScript } from "./scripts.ts";
import { type OciInput, ociSpec } from "./spec.ts";

export interface FolderInput extends OciInput {
  readonly paths: InstancePaths;
  readonly programs: Programs;
  readonly log: { readonly maxBytes: number; readonly maxFiles: number };
}

/** Lays out everything under the run folder that the supervisor starts from: the OCI bundle and the service folders. It must not be in use. */
export async function makeRunFolder(input: FolderInput): Promise<void> {
  const { spec, root, paths, programs } = input;
  await removeRunFolder(paths);
  await mkdir(paths.service, { recursive: true });
  await chmod(paths.run, 0o700);
  await mkdir(paths.rootfs);
  await chmod(paths.rootfs, 0o755);
  for (const entry of root.entries) {
    const path = join(paths.rootfs, entry.path);
    if (entry.kind === "link") await symlink(entry.target, path);
    else {
      if (entry.kind === "dir") await mkdir(path);
      else await writeFile(path, entry.text);
      await chmod(path, entry.kind === "dir" ? 0o755 : 0o644); // whatever the caller's umask is
    }
  }
  // It holds the environment, and so possibly secrets.
  await writeFile(join(paths.run, "config.json"), JSON.stringify(ociSpec(input)), { mode: 0o600 });
  await rm(paths.scripts, { recursive: true, force: true });
  await mkdir(paths.scripts, { recursive: true, mode: 0o700 });
  const script = (service: string, name: string, text: string) =>
    linked(join(service, name), join(paths.scripts, `${basename(service)}-${name}`), text);
  await script(paths.service, "run", runScript(programs, paths));
  await script(paths.service, "finish", finishScript(programs, paths));
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

/** /run is mounted noexec on Debian: executables there are links to files elsewhere. */
async function linked(path: string, script: string, text: string): Promise<void> {
  await writeFile(script, text);
  await chmod(script, 0o700);
  await symlink(script, path);
}
