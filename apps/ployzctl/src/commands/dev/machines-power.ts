import type { Context } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { removeDevContext } from "./dev-context.ts";
import {
  devContainers,
  docker,
  networkSubnet,
  removeMachines,
  removeNetwork,
  startMachine,
} from "./docker.ts";
import type { DevDown, DevPower } from "./documents.ts";

async function needMachines() {
  const found = await devContainers();
  if (found.length > 0) return found;
  throw new PloyzError({
    code: "not_dev",
    message: "dev has no machines in containers on this computer",
    hint: "ployzctl dev --machines 3",
  });
}

/** Stops all machines; their disks are kept. */
export async function stopMachines(context: Context): Promise<DevPower> {
  const running = (await needMachines()).filter((one) => one.running);
  if (running.length > 0)
    context.progress.note(`stopping ${running.map(({ machine }) => machine).join(", ")}`);
  await Promise.all(running.map(({ container }) => docker(["stop", container])));
  return powered();
}

export async function startMachines(context: Context): Promise<DevPower> {
  const stopped = (await needMachines()).filter((one) => !one.running);
  if (stopped.length > 0)
    context.progress.note(`starting ${stopped.map(({ machine }) => machine).join(", ")}`);
  await Promise.all(stopped.map(({ machine }) => startMachine(machine)));
  return powered();
}

const powered = async (): Promise<DevPower> => ({
  kind: "dev-power",
  machines: (await devContainers()).map(({ machine, container, running }) => ({
    machine,
    container,
    running,
  })),
});

/** Removes the machines with their disks, their network and their context; undefined where there is none. */
export async function removeDevMachines(context: Context): Promise<DevDown | undefined> {
  const machines = (await devContainers()).map(({ machine }) => machine);
  const network = await networkSubnet();
  if (machines.length === 0 && network === undefined) return undefined;
  await removeMachines(machines);
  if (network !== undefined) await removeNetwork();
  const removed = [
    ...machines.map((machine) => `machine ${machine}`),
    ...(network === undefined ? [] : ["their network"]),
    ...((await removeDevContext(context)) ? ["context dev"] : []),
  ];
  return { kind: "dev-down", removed };
}
