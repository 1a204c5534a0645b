import type { Commands, Fence, Json, MachineRecord } from "@ployz/primitives";
import { PloyzError } from "../error-codes.ts";
import type { FenceGuard } from "../state/fences.ts";

export interface CommandContext {
  /** Aborts at the caller's deadline, or when the caller gives up. */
  readonly signal: AbortSignal;
  /** Tells the caller how far this is; also a sign that work goes on. */
  progress(value: Json): void;
}

/** One function for each command of the protocol. */
export type Handlers = {
  readonly [N in keyof Commands]: (
    args: Commands[N]["args"],
    context: CommandContext,
  ) => Promise<Commands[N]["out"]>;
};

/** Commands that only look. All others need a fence, and are refused under one that a newer holder has passed. */
const READS: ReadonlySet<keyof Commands> = new Set([
  "machine.observe",
  "operation.running",
  "image.resolve",
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
  "update.look",
  "update.await",
]);

/** One that is joining takes what its record will let it take in a moment. */
export const takesNew = (state: MachineRecord["state"]): boolean => state === "active" || state === "joining";

/** What brings something new here is refused while this machine's own record says that it takes nothing: also from who planned before. */
export function refusingNew(handlers: Handlers, state: () => MachineRecord["state"]): Handlers {
  const check = () => {
    const now = state();
    if (takesNew(now)) return;
    throw new PloyzError({
      code: "machine_draining",
      message: `this machine takes nothing new: it is ${now === "standby" ? "on standby" : now}`,
      hint: "run the same command again: it is planned without this machine",
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

/** Runs one command as it came over the wire. */
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
      hint: "it may run an older version: ployzctl machine ls",
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
