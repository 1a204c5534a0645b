import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stopS6 } from "@ployz/exec";
import type { Context } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import type { Settings } from "../../settings.ts";
import type { DaemonStopped, DaemonUninstalled } from "./documents.ts";
import { removeInitScript } from "./init-script.ts";
import { exists, INIT_SCRIPT, needRoot, SERVICE, scanDir, serviceHost } from "./service.ts";

export async function stop(context: Context): Promise<DaemonStopped> {
  needRoot(context.terminal.root, "daemon stop");
  const host = await serviceHost(await context.settings());
  const { state } = await host.status(SERVICE);
  if (state === "running") await host.stop(SERVICE);
  return { kind: "daemon-stopped", stopped: state === "running" };
}

export async function uninstall(
  context: Context,
  { ifInstalled, purge }: { readonly ifInstalled: boolean; readonly purge: boolean },
): Promise<DaemonUninstalled> {
  needRoot(context.terminal.root, "daemon uninstall");
  const settings = await context.settings();
  const host = await serviceHost(settings);
  // Written when the machine joins and removed when it leaves; readable without the daemon.
  if (await exists(join(settings.dataDir, "membership.json"))) {
    throw new PloyzError({
      code: "still_member",
      message: "this machine is a member of a cluster",
      hint: "leave it first: ployzctl mesh leave, or ployzctl mesh destroy on the last machine",
    });
  }
  if (purge) await needNoVolumes(settings);
  const { state } = await host.status(SERVICE);
  const script = host.kind === "s6" && (await exists(INIT_SCRIPT));
  const there = { data: await exists(settings.dataDir), config: await exists(settings.configPath) };
  const data = purge && there.data;
  const config = purge && there.config;
  if (state === "absent" && !script && !data && !config && !ifInstalled) {
    throw new PloyzError({
      code: "daemon_not_installed",
      message: "the daemon is not installed on this machine",
      hint: "ployzctl daemon install",
    });
  }
  await host.remove(SERVICE);
  if (host.kind === "s6") {
    await removeInitScript();
    await stopS6(scanDir(settings));
  }
  await rm(settings.socket, { force: true });
  await removeRunDir(settings);
  if (data) await rm(settings.dataDir, { recursive: true, force: true });
  if (config) await rm(settings.configPath, { force: true });
  if (purge) await rmdir("/etc/ployz").catch(() => {}); // not empty, or missing
  return {
    kind: "daemon-uninstalled",
    removed: [
      ...(state === "absent" ? [] : [`service ${SERVICE}`]),
      ...(script ? [INIT_SCRIPT] : []),
      ...(data ? [settings.dataDir] : []),
      ...(config ? [settings.configPath] : []),
    ],
    kept: [
      ...(there.data && !data ? [settings.dataDir] : []),
      ...(there.config && !config ? [settings.configPath] : []),
    ],
  };
}

/** Refuses to remove a data folder with mounted volumes or the file of a pool: data would be lost. */
async function needNoVolumes({ dataDir }: Settings): Promise<void> {
  const mounted = (await readFile("/proc/self/mounts", "utf8")).includes(` ${join(dataDir, "volumes")}/`);
  const pools = await readdir(join(dataDir, "pools")).catch(() => []);
  if (!mounted && pools.length === 0) return;
  throw new PloyzError({
    code: "volumes_here",
    message: mounted
      ? `volumes are mounted in ${join(dataDir, "volumes")}`
      : `${join(dataDir, "pools")} holds a pool: ${pools.join(", ")}`,
    hint: mounted
      ? "unmount them: zfs unmount DATASET"
      : "remove a pool of dev with ployzctl dev down; destroy another one with zpool destroy, and remove its file",
  });
}

/** After leaving its cluster a machine has only empty folders there, which a reboot would remove too. */
async function removeRunDir(settings: Settings): Promise<void> {
  const runDir = dirname(settings.socket);
  await rm(scanDir(settings), { recursive: true, force: true });
  await rmdir(join(runDir, "instances")).catch(() => {}); // not empty, or missing
  await rmdir(runDir).catch(() => {});
}
