import type { Command } from "../command.ts";
import { GROUPS } from "../groups.ts";
import { alertCommands } from "./alert/index.ts";
import { backupCommands } from "./backup/index.ts";
import { buildCommands } from "./build/index.ts";
import { certificateCommands } from "./cert/index.ts";
import { changeCommands } from "./change/index.ts";
import { contextCommands } from "./context/index.ts";
import { daemonCommands } from "./daemon/index.ts";
import { dashboardCommands } from "./dashboard/index.ts";
import { deployCommands } from "./deploy/index.ts";
import { devCommands } from "./dev/index.ts";
import { imageCommands } from "./image/index.ts";
import { inspectCommands } from "./inspect/index.ts";
import { machineCommands } from "./machine/index.ts";
import { inviteCommands } from "./machine/invite.ts";
import { meshCommands } from "./mesh/index.ts";
import { policyCommands } from "./mesh/policy.ts";
import { namespaceCommands } from "./namespace/index.ts";
import { opsCommands } from "./ops/index.ts";
import { registryCommands } from "./registry/index.ts";
import { scheduleCommands } from "./schedule/index.ts";
import { secretCommands } from "./secret/index.ts";
import { shellCommands } from "./shell.ts";
import { storeCommands } from "./store/index.ts";
import { streamCommands } from "./stream/index.ts";
import { tokenCommands } from "./token/index.ts";
import { volumeCommands } from "./volume/index.ts";

const ALL: readonly Command[] = [
  ...contextCommands,
  ...daemonCommands,
  ...devCommands,
  ...meshCommands,
  ...policyCommands,
  ...machineCommands,
  ...inviteCommands,
  ...storeCommands,
  ...deployCommands,
  ...changeCommands,
  ...scheduleCommands,
  ...secretCommands,
  ...certificateCommands,
  ...imageCommands,
  ...buildCommands,
  ...registryCommands,
  ...volumeCommands,
  ...backupCommands,
  ...namespaceCommands,
  ...inspectCommands,
  ...dashboardCommands,
  ...streamCommands,
  ...alertCommands,
  ...opsCommands,
  ...tokenCommands,
  ...shellCommands,
];

/** Every command, in the order of the help. The code of a command is loaded when it runs. */
export const COMMANDS: readonly Command[] = GROUPS.flatMap(({ nouns }) =>
  Object.keys(nouns).flatMap((noun) => ALL.filter(({ path }) => path[0] === noun)),
);
