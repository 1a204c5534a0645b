import { errorBody } from "@ployz/errors";
import type { Commands, InstanceVolume } from "../participant/commands.ts";
import type { CallOptions, Machines } from "../ports/machines.ts";
import { unique } from "./store-contract.ts";

/** Machines with pools that the contract tests. */
export interface VolumeMachines {
  readonly machines: Machines;
  /** Two machines with storage that reach each other. */
  readonly ids: readonly [string, string];
  /** An instance that both can really run, until it is stopped; the contract fills in the rest. */
  readonly runnable: Omit<Commands["instance.start"]["args"], "id" | "address" | "volumes">;
  /** Ends them. */
  close(): Promise<void>;
}

export const single = { scope: "single" } as const;

export interface Taken {
  readonly snapshot: string;
  readonly guid: string;
}

export interface OneMachine {
  readonly id: string;
  call<N extends keyof Commands>(command: N, args: Commands[N]["args"]): Promise<Commands[N]["out"]>;
  /** The code of its error; `undefined` when it was done. */
  code<N extends keyof Commands>(command: N, args: Commands[N]["args"]): Promise<string | undefined>;
  /** Resolves with the instance's id. */
  start(volumes: readonly InstanceVolume[]): Promise<string>;
  startCode(volumes: readonly InstanceVolume[]): Promise<string | undefined>;
  state(id: string): Promise<string | undefined>;
  snapshots(id: string): Promise<readonly string[]>;
  take(volume: { readonly id: string; readonly namespace: string }, snapshot: string): Promise<Taken>;
}

export interface Bench {
  readonly a: OneMachine;
  readonly b: OneMachine;
  readonly volume: { readonly id: string; readonly namespace: string; readonly name: string };
}

/** Moves the bench's volume from a to b, which then have the snapshot of that name in common. */
export async function moved({ a, b, volume }: Bench, operation: string): Promise<Taken> {
  const { id } = volume;
  await a.call("volume.ensure", { ...volume, spec: single, operation: "made", create: true });
  await a.call("volume.seal", { id, operation });
  const taken = await a.take(volume, operation);
  await b.call("volume.pull", { ...volume, operation, source: { machine: a.id, id }, ...taken });
  await b.call("volume.admit", { ...volume, spec: single, operation, ...taken });
  await a.call("volume.retire", { id, operation });
  return taken;
}

export function benchOf({ machines, ids, runnable }: VolumeMachines): Bench {
  const namespace = unique("ns");
  const machine = (id: string): OneMachine => {
    const options: CallOptions = {
      timeoutMs: 60_000,
      signal: new AbortController().signal,
      fence: { scope: `deploy.${namespace}`, generation: 1, revision: 1 },
    };
    const call: OneMachine["call"] = (command, args) => machines.call(id, command, args, options);
    const code: OneMachine["code"] = (command, args) =>
      call(command, args).then(
        () => undefined,
        (error: unknown) => errorBody(error).code,
      );
    const prepared = async (volumes: readonly InstanceVolume[]) => {
      const instance = `${runnable.namespace}.${runnable.service}.0.${unique("t")}`;
      const { address } = await call("instance.reserve", { id: instance });
      return { ...runnable, id: instance, address, volumes };
    };
    return {
      ...{ id, call, code },
      async start(volumes) {
        const start = await prepared(volumes);
        await call("instance.start", start);
        return start.id;
      },
      startCode: async (volumes) => code("instance.start", await prepared(volumes)),
      state: async (volume) =>
        (await call("machine.observe", {})).volumes.find((one) => one.id === volume)?.state,
      snapshots: async (volume) =>
        (await call("volume.snapshots", { id: volume }))?.snapshots.map(({ name }) => name) ?? [],
      async take(volume, snapshot) {
        const { guids } = await call("volume.snapshot", {
          namespace: volume.namespace,
          ids: [volume.id],
          snapshot,
        });
        return { snapshot, guid: guids[volume.id] ?? "" };
      },
    };
  };
  return {
    a: machine(ids[0]),
    b: machine(ids[1]),
    volume: { id: `${namespace}.data.${unique("v")}`, namespace, name: "data" },
  };
}
