import type { ErrorBody } from "@ployz/errors";
import { errorBody } from "@ployz/errors";
import {
  abandon,
  entryOf,
  type Refounding,
  refound,
  type StoreMachine,
  type StoreServer,
  type StoreSet,
  type Survey,
  surveyStore,
  type Unfinished,
} from "@ployz/nats-store";
import type { MachineRecord } from "@ployz/primitives";
import { storePorts } from "../config/store-ports.ts";
import { PloyzError } from "../error-codes.ts";
import type { AskPeer } from "../peers/ask.ts";
import type { Look } from "../peers/commands.ts";

/** What every member says of its part in the store; who did not answer, and why. */
export interface Surveyed extends Survey {
  readonly looks: Readonly<Record<string, Look>>;
  readonly silent: Readonly<Record<string, ErrorBody>>;
  /** The newest generation that any machine knows. */
  readonly newest: number;
}

export async function survey(ask: AskPeer, members: readonly MachineRecord[]): Promise<Surveyed> {
  const looks: Record<string, Look> = {};
  const silent: Record<string, ErrorBody> = {};
  await Promise.all(
    members.map(async ({ id }) => {
      try {
        looks[id] = await ask(id, "store.look", null);
      } catch (error) {
        silent[id] = errorBody(error);
      }
    }),
  );
  const records = Object.fromEntries(
    Object.entries(looks).map(([id, { record }]) => [id, record ?? undefined] as const),
  );
  const newest = Math.max(
    0,
    ...Object.values(looks).flatMap(({ view, record }) => [
      view.generation,
      ...(record?.generations.map(({ generation }) => generation) ?? []),
    ]),
  );
  return { ...surveyStore(records), looks, silent, newest };
}

/** Every machine of a generation's set, as the records of those that answered name it; of one re-founding, if that is given. */
export function setOf(looks: Surveyed["looks"], generation: number, founding?: string): readonly string[] {
  for (const [id, { record }] of Object.entries(looks)) {
    const entry = entryOf(record ?? undefined, generation);
    if (entry !== undefined && (founding === undefined || entry.id === founding))
      return entry.routes?.servers.map(({ machine }) => machine) ?? [id];
  }
  return [];
}

/** The part of another machine in a re-founding. */
export function remoteMachine(ask: AskPeer, name: string): StoreMachine {
  type Step = "fence" | "unfence" | "retire" | "serve" | "drop";
  const step = (command: Step) => (generation: number, id: string) =>
    ask(name, `store.${command}`, { generation, id });
  return {
    record: async () => (await ask(name, "store.record", null)) ?? undefined,
    fence: step("fence"),
    unfence: step("unfence"),
    retire: step("retire"),
    found: (set) => ask(name, "store.found", set),
    serve: step("serve"),
    drop: step("drop"),
    stop: (generation) => ask(name, "store.stop", { generation }),
  };
}

/**
 * Brings a re-founding that nobody is at work on to its end: forward where it was decided, else back. Says which. `lost`: machines of the
 * old set that do not answer never will, so that they have no say.
 */
export async function resolve(
  ask: AskPeer,
  { looks, serving }: Surveyed,
  {
    one,
    members,
    storePort,
    lost = false,
  }: {
    readonly one: Unfinished;
    readonly members: readonly MachineRecord[];
    readonly storePort: number;
    readonly lost?: boolean;
  },
): Promise<{ readonly finished: boolean }> {
  // Where none of the old set answers, the new set is open: nobody has to retire any more.
  const before = one.set === undefined ? (serving?.generation ?? 0) : one.set.generation - 1;
  const generation = one.closed?.generation ?? before;
  const from = { generation, machines: lost ? (one.closed?.machines ?? []) : setOf(looks, generation) };
  const to = wholeSet(one, { looks, members, storePort, after: generation });
  const parts: Omit<Refounding, "carry"> = { from, to, machine: (name) => remoteMachine(ask, name) };
  if (!one.decided) {
    const given = await abandon(parts).then(
      () => true,
      (error: unknown) => {
        // Of what is left of the old set, all has retired for it.
        if (lost && errorBody(error).code === "store_refounding_unfinished") return false;
        throw error;
      },
    );
    if (given) return { finished: false };
  }
  if (to.servers.length === 0)
    throw new PloyzError({
      code: "store_refounding_unfinished",
      message: `the store has begun to move, and none of the machines that it moves to answers (re-founding ${one.id})`,
      hint: "bring them back and run the command again; if they are lost for good: ployzctl store recover",
    });
  await refound({ ...parts, carry: () => Promise.reject(new Error("what is decided is not carried again")) });
  return { finished: true };
}

/** Machines of the set that do not answer are in the records of the others; where they listen follows from the generation. */
function wholeSet(
  one: Unfinished,
  {
    looks,
    members,
    storePort,
    after,
  }: {
    readonly looks: Surveyed["looks"];
    readonly members: readonly MachineRecord[];
    readonly storePort: number;
    readonly after: number;
  },
): StoreSet {
  const generation = one.set?.generation ?? after + 1;
  const machines = one.set === undefined ? [] : setOf(looks, generation, one.id);
  const servers = machines.flatMap((id) => {
    const member = members.find((record) => record.id === id);
    return member === undefined ? [] : [serverOn(member, storePort, generation)];
  });
  return { generation, id: one.id, servers, routeSecret: "" };
}

export function serverOn(
  { id, address }: Pick<MachineRecord, "id" | "address">,
  storePort: number,
  generation: number,
): StoreServer {
  const { client, route, monitor } = storePorts(storePort, generation);
  return { machine: id, host: address, port: client, routePort: route, monitorPort: monitor };
}
