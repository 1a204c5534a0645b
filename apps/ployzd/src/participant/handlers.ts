import { errorBody } from "@ployz/errors";
import type { Commands, Fence, Json, MachineRecord } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { Audit } from "../state/audit.ts";
import type { FenceGuard } from "../state/fences.ts";

export interface CommandContext {
  /** Aborts at the caller's deadline, or when the caller aborts. */
  readonly signal: AbortSignal;
  /** Sends progress to the caller; also counts as a heartbeat. */
  progress(value: Json): void;
  /** The calling machine, by its own word, and its operation. */
  readonly caller?: string;
  readonly operation?: string;
}

/** One function for each command of the protocol. */
export type Handlers = {
  readonly [N in keyof Commands]: (
    args: Commands[N]["args"],
    context: CommandContext,
  ) => Promise<Commands[N]["out"]>;
};

/** Read-only commands. All others need a fence, and are refused under a fence older than the highest seen. */
const READS: ReadonlySet<keyof Commands> = new Set([
  "machine.observe",
  "operation.running",
  "image.resolve",
  "image.list",
  "image.inspect",
  "image.usage",
  "bundle.resolve",
  "operation.abort",
  "instance.logs",
  "volume.snapshots",
  "volume.expired",
  "instance.ready",
  "instance.wait",
  "publish.await",
  "membership.await",
  "membership.handshake",
  "machine.rtt",
  "transfer.offer",
  "network.policy",
  "gateway.show",
  // Its answers end by themselves, and prove nothing without the account's key.
  "certificate.challenge",
  "backup.look",
  "backup.list",
  "backup.read",
  "backup.check",
  "update.look",
  "update.await",
]);

/** A joining machine accepts work that it will receive once it is active. */
export const takesNew = (state: MachineRecord["state"]): boolean => state === "active" || state === "joining";

/** Commands that place new work are refused while this machine's record is draining or standby, also those of older plans. */
export function refusingNew(handlers: Handlers, state: () => MachineRecord["state"]): Handlers {
  const check = () => {
    const now = state();
    if (takesNew(now)) return;
    throw new PloyzError({
      code: "machine_draining",
      message: `this machine receives no new work: it is ${now === "standby" ? "on standby" : now}`,
      hint: "run the same command again: its plan then avoids this machine",
    });
  };
  const guarded =
    <A, R>(
      handler: (args: A, context: CommandContext) => Promise<R>,
      isNew: (args: A) => boolean = () => true,
    ) =>
    async (args: A, context: CommandContext): Promise<R> => {
      if (isNew(args)) check();
      return handler(args, context);
    };
  return {
    ...handlers,
    "instance.reserve": guarded(handlers["instance.reserve"]),
    "volume.ensure": guarded(handlers["volume.ensure"], ({ create }) => create),
    "volume.clone": guarded(handlers["volume.clone"]),
    "volume.pull": guarded(handlers["volume.pull"]),
  };
}

/** Writes each changing call into the audit log, once it has ended. */
export function audited(handlers: Handlers, audit: Pick<Audit, "write">): Handlers {
  const logged = Object.entries(handlers).map(([name, handler]) => {
    if (READS.has(name as keyof Commands)) return [name, handler];
    const changing = handler as (args: unknown, context: CommandContext) => Promise<unknown>;
    return [
      name,
      async (args: unknown, context: CommandContext) => {
        const { caller = "unknown", operation } = context;
        const object = objectOf(args);
        const write = (outcome: string) =>
          audit.write({
            ...{ type: "call", at: new Date().toISOString(), caller, command: name, outcome },
            ...(operation !== undefined && { operation }),
            ...(object !== undefined && { object }),
          });
        try {
          const out = await changing(args, context);
          write("done");
          return out;
        } catch (error) {
          write(errorBody(error).code);
          throw error;
        }
      },
    ];
  });
  return Object.fromEntries(logged) as Handlers;
}

function objectOf(args: unknown): string | undefined {
  const fields = (args ?? {}) as Readonly<Record<string, unknown>>;
  const named = ["id", "digest", "build", "ref", "name", "namespace", "machine"].map(
    (field) => fields[field],
  );
  return named.find((value) => typeof value === "string");
}

/** Runs one command from the wire. */
export async function handle(
  handlers: Handlers,
  fences: FenceGuard,
  name: string,
  args: unknown,
  fence: Fence | undefined,
  context: CommandContext,
): Promise<unknown> {
  if (!Object.hasOwn(handlers, name)) {
    throw new PloyzError({
      code: "no_such_command",
      message: `this machine does not know the command ${name}`,
      hint: "compare versions with ployzctl machine ls, then: ployzctl machine update",
    });
  }
  const command = name as keyof Commands;
  if (!READS.has(command)) {
    if (fence === undefined)
      throw new PloyzError({ code: "fence_missing", message: `${name} needs a fence` });
    await fences.check(fence);
  }
  const handler = handlers[command] as (args: unknown, context: CommandContext) => Promise<unknown>;
  return handler(args, context);
}
