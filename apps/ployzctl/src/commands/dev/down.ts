import { readFile, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorBody } from "@ployz/errors";
import { findProgram, run } from "@ployz/exec";
import type { Context } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { needLinux } from "../../settings.ts";
import { start } from "../daemon/install.ts";
import { exists, needRoot, serviceHost } from "../daemon/service.ts";
import { uninstall } from "../daemon/uninstall.ts";
import { leave } from "../mesh/mesh.ts";
import { CLUSTER } from "./dev.ts";
import type { DevDown } from "./documents.ts";
import { madeBy } from "./marker.ts";
import { POOL_MADE, removeDevPool } from "./pool.ts";

/** Removes what dev created: its machines in containers, or else the cluster on this machine and its daemon. Run again, it removes the rest. */
export async function down(context: Context): Promise<DevDown> {
  const docker = await findProgram("docker");
  const machines = docker === undefined ? undefined : await machinesRemoved(context);
  if (machines !== undefined) return machines;
  needLinux(context.terminal, "dev down");
  needRoot(context.terminal.root, "dev down");
  const settings = await context.settings();
  const made = (await madeBy(settings)) ?? [];
  const cluster = await clusterName(join(settings.dataDir, "membership.json"));
  if (cluster !== undefined && cluster !== CLUSTER) {
    throw new PloyzError({
      code: "not_dev",
      message: `this machine is a member of cluster ${cluster}, which dev did not create`,
      hint: "ployzctl mesh leave, or ployzctl mesh destroy",
    });
  }
  const removed: string[] = [];
  if (cluster !== undefined) {
    await leaveCluster(context);
    removed.push(`cluster ${cluster}`);
  }
  if (made.includes(POOL_MADE)) removed.push(...(await removeDevPool(settings, await serviceHost(settings))));
  const uninstalled = await uninstall(context, { ifInstalled: true, purge: true });
  removed.push(...uninstalled.removed);
  // Only when empty: other files in it are not dev's.
  await rmdir(dirname(settings.configPath)).catch(() => {});
  if (made.includes("group ployz") && (await findProgram("groupdel")) !== undefined) {
    await run("groupdel", ["ployz"], { okExitCodes: [0, 6] }); // 6: no such group
    removed.push("group ployz");
  }
  return { kind: "dev-down", removed };
}

/** A Docker that does not run has no machines that dev could remove. */
async function machinesRemoved(context: Context): Promise<DevDown | undefined> {
  const { removeDevMachines } = await import("./machines-power.ts");
  try {
    return await removeDevMachines(context);
  } catch (error) {
    if (context.terminal.platform === "linux" && errorBody(error).code === "docker_unreachable")
      return undefined;
    throw error;
  }
}

/** Only the daemon can leave a cluster: start it for that if it does not run. */
async function leaveCluster(context: Context): Promise<void> {
  try {
    await leave(context, { destroy: true });
  } catch (error) {
    if (errorBody(error).code !== "daemon_unreachable") throw error;
    await start(context);
    await leave(context, { destroy: true });
  }
}

async function clusterName(membership: string): Promise<string | undefined> {
  if (!(await exists(membership))) return undefined;
  const { cluster } = JSON.parse(await readFile(membership, "utf8")) as {
    readonly cluster?: { readonly name?: string };
  };
  return cluster?.name;
}
