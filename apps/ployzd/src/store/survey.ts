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
import type { MachineRecord } from "@ployz/primitives/protocol";
import { storePorts } from "../config/store-ports.ts";
import { PloyzError } from "../error-codes.ts";
import type { AskPeer } from "../peers/ask.ts";
import type { Look } from "../peers/commands.ts";

/** Every member's part in the store; the members that did not answer, and why. */
export interface Surveyed extends Survey {
  readonly looks: Readonly<Record<string, Look>>;
  readonly silent: Readonly<Record<string, ErrorBody>>;
  /** The newest generation known to any machine. */
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

/** All machines of a generation's set, from the records of those that answered; of one re-founding, if given. */
export function setOf(looks: Surveyed["looks"], generation: number, founding?: string): readonly string[] {
  for (const [id, { record }] of Object.entries(looks)) {
    const entry = entryOf(record ?? undefined, generation);
    if (entry !== undefined && (founding === undefined || entry.id === founding))
      return entry.routes?.servers.map(({ machine }) => machine) ?? [id];
  }
  return [];
}

/** Another machine's part in a re-founding. */
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
 * Completes a re-founding without a coordinator: finishes a decided one, abandons others. Returns which. `lost`: silent machines of the old
 * set are lost and do not count.
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
  // If no machine of the old set answers, the new set is open: none has to retire.
  const before = one.set === undefined ? (serving?.generation ?? 0) : one.set.generation - 1;
  const generation = one.closed?.generation ?? before;
  const from = { generation, machines: lost ? (one.closed?.machines ?? []) : setOf(looks, generation) };
  const to = wholeSet(one, { looks, members, storePort, after: generation });
  const parts: Omit<Refounding, "carry"> = { from, to, machine: (name) => remoteMachine(ask, name) };
  if (!one.decided) {
    const given = await abandon(parts).then(
      () => true,
      (error: unknown) => {
        // All remaining machines of the old set have retired for it.
        if (lost && errorBody(error).code === "store_refounding_unfinished") return false;
        throw error;
      },
    );
    if (given) return { finished: false };
  }
  if (to.servers.length === 0)
    throw new PloyzError({
      code: "store_refounding_unfinished",
      message: `the store has begun to move, but none of its new machines answers (re-founding ${one.id})`,
      hint: "start them and run the command again; if they are lost permanently: ployzctl store recover",
    });
  await refound({
    ...parts,
    carry: () => Promise.reject(new Error("a decided re-founding is not copied again")),
  });
  return { finished: true };
}

/** Silent machines of the set are in the records of the others; their ports follow from the generation. */
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
