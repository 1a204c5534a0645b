import { type Draw, draw } from "./draw.ts";

/** The kind of a command; its arguments may depend on the state at its start. */
export type Deed =
  | { readonly kind: "deploy"; readonly version: string; readonly web: number; readonly ledgerOn?: number }
  | { readonly kind: "migrate" | "drain" | "activate"; readonly machine: number }
  | { readonly kind: "scale"; readonly web: number }
  | { readonly kind: "snapshot"; readonly name: string }
  | { readonly kind: "fork"; readonly name: string }
  | {
      readonly kind:
        | "restore"
        | "rollback"
        | "rollback-data"
        | "branch"
        | "promote"
        | "unbranch"
        | "prune"
        | "restart";
    };

export interface Command {
  readonly at: number;
  readonly afterMs: number;
  readonly deed: Deed;
  /** Ends the command before its end: aborted from another machine, interrupted, or its client killed. */
  readonly cut?: {
    readonly how: "ops abort" | "SIGINT" | "SIGKILL";
    readonly afterMs: number;
    readonly from: number;
  };
}

/** Programs that are killed. */
export const PROGRAMS = ["ployzd", "ployz-gateway", "ployz-dns", "haproxy", "nats-server"] as const;

export type Harm =
  | { readonly kind: "kill"; readonly program: (typeof PROGRAMS)[number]; readonly machine: number }
  | { readonly kind: "pause" | "power" | "full-pool"; readonly machine: number; readonly lastsMs: number }
  | { readonly kind: "full-state"; readonly lastsMs: number }
  | { readonly kind: "partition"; readonly between: readonly [number, number]; readonly lastsMs: number }
  | { readonly kind: "loss"; readonly machine: number; readonly percent: number; readonly lastsMs: number };

export interface Fault {
  readonly harm: Harm;
  /** After the start of the round, or at an event of the first command: its kth journaled one, its first undo, its commit. */
  readonly when:
    | { readonly afterMs: number }
    | { readonly event: number }
    | { readonly first: "undoing" | "committed" };
}

export interface Round {
  readonly commands: readonly Command[];
  readonly faults: readonly Fault[];
}

export interface Shape {
  readonly machines: number;
  /** The first ones hold the store. */
  readonly store: 1 | 3;
}

export const shapeOf = (seed: number): Shape => {
  const d = draw(seed);
  const store = d.pick([1, 3] as const);
  return { machines: d.between(3, 5), store };
};

/** The commands and faults of one round: a function of seed and number, so that a round can be repeated by itself. */
export function planRound(seed: number, number: number, { machines, store }: Shape): Round {
  const d = draw(seed * 7919 + number);
  const at = () => d.between(1, machines);
  const count = d.weighted([
    [5, 1],
    [4, 2],
    [2, 3],
  ]);
  const commands = Array.from({ length: count }, (_, index): Command => {
    const command = {
      at: at(),
      afterMs: index === 0 ? 0 : d.between(0, 6_000),
      deed: deed(d, number * 10 + index, machines),
    };
    if (!d.chance(0.15)) return command;
    const how = d.pick(["ops abort", "SIGINT", "SIGKILL"] as const);
    return { ...command, cut: { how, afterMs: d.between(200, 8_000), from: at() } };
  });
  const faults = Array.from(
    {
      length: d.weighted([
        [1, 0],
        [4, 1],
        [4, 2],
        [2, 3],
      ]),
    },
    (): Fault => ({ harm: harm(d, machines, store), when: moment(d) }),
  );
  return { commands, faults };
}

function deed(d: Draw, id: number, machines: number): Deed {
  const machine = d.between(1, machines);
  const web = d.between(1, 3);
  return d.weighted<Deed>([
    [6, { kind: "deploy", version: `v${id}`, web, ...(d.chance(0.3) && { ledgerOn: machine }) }],
    [6, { kind: "migrate", machine }],
    [2, { kind: "scale", web }],
    [2, { kind: "snapshot", name: `s${id}` }],
    [2, { kind: "restore" }],
    [2, { kind: "rollback" }],
    [2, { kind: "rollback-data" }],
    [3, { kind: "branch" }],
    [2, { kind: "promote" }],
    [1, { kind: "unbranch" }],
    [2, { kind: "fork", name: `f${id}` }],
    [1, { kind: "prune" }],
    [1, { kind: "restart" }],
    [2, { kind: "drain", machine }],
    [2, { kind: "activate", machine }],
  ]);
}

function harm(d: Draw, machines: number, store: number): Harm {
  const machine = d.between(1, machines);
  const other = 1 + ((machine + d.below(machines - 1)) % machines);
  const lastsMs = d.between(2_000, 25_000);
  const program = d.weighted([
    [6, "ployzd"],
    [2, "ployz-gateway"],
    [1, "ployz-dns"],
    [1, "haproxy"],
    [3, "nats-server"],
  ] as const);
  return d.weighted<Harm>([
    [8, { kind: "kill", program, machine: program === "nats-server" ? d.between(1, store) : machine }],
    [3, { kind: "pause", machine, lastsMs }],
    [3, { kind: "partition", between: [machine, other], lastsMs }],
    [2, { kind: "loss", machine, percent: d.pick([5, 20, 50]), lastsMs }],
    [3, { kind: "power", machine: d.between(1, machines - 1), lastsMs }], // the last one's state is in memory
    [2, { kind: "full-pool", machine, lastsMs }],
    [2, { kind: "full-state", lastsMs }],
  ]);
}

const moment = (d: Draw): Fault["when"] =>
  d.weighted<Fault["when"]>([
    [4, { afterMs: d.between(0, 12_000) }],
    [6, { event: d.below(24) }],
    [3, { first: "undoing" }],
    [2, { first: "committed" }],
  ]);

/** One line for each command and fault. */
export function tell({ commands, faults }: Round): readonly string[] {
  return [
    ...commands.map(
      ({ at, afterMs, deed: { kind, ...what }, cut }) =>
        `m${at} at ${afterMs} ms: ${kind} ${Object.entries(what)
          .map(([name, value]) => `${name}=${value}`)
          .join(" ")}${cut === undefined ? "" : `; ${cut.how} from m${cut.from} after ${cut.afterMs} ms`}`,
    ),
    ...faults.map(({ harm, when }) => `fault ${JSON.stringify(harm)} when ${JSON.stringify(when)}`),
  ];
}
