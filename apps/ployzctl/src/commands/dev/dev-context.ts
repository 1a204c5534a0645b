import type { Context } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { contextsPath, readContexts, writeContexts } from "../../remote/contexts.ts";
import { hostText } from "../../remote/host.ts";
import { CLUSTER } from "./dev.ts";
import { containerOf } from "./docker.ts";

const isOurs = (hosts: readonly string[]) =>
  hosts.every((host) => host.startsWith(`docker://${containerOf("m")}`));

async function read({ terminal }: Context) {
  const path = contextsPath(terminal);
  const { contexts, current } = await readContexts(path);
  const hosts = Object.hasOwn(contexts, CLUSTER) ? contexts[CLUSTER] : undefined;
  return { path, contexts, current, hosts };
}

/** @throws PloyzError `context_exists` */
export async function needFreeContext(context: Context): Promise<void> {
  const { hosts } = await read(context);
  if (hosts === undefined || isOurs(hosts)) return;
  throw new PloyzError({
    code: "context_exists",
    message: `context ${CLUSTER} has other hosts: ${hosts.join(" ")}`,
    hint: `to give the name to dev's machines: ployzctl context rm ${CLUSTER}`,
  });
}

/** The context of dev's machines, in use where none is. */
export async function keepDevContext(context: Context, machines: readonly string[]): Promise<void> {
  const { path, contexts, current } = await read(context);
  const hosts = machines.map((machine) => hostText({ container: containerOf(machine) }));
  await writeContexts(path, { contexts: { ...contexts, [CLUSTER]: hosts }, current: current ?? CLUSTER });
}

/** Whether there was one. */
export async function removeDevContext(context: Context): Promise<boolean> {
  const { path, contexts, current, hosts } = await read(context);
  if (hosts === undefined || !isOurs(hosts)) return false;
  const rest = Object.fromEntries(Object.entries(contexts).filter(([name]) => name !== CLUSTER));
  await writeContexts(path, {
    contexts: rest,
    ...(current !== undefined && current !== CLUSTER && { current }),
  });
  return true;
}
