import type { Json } from "./json.ts";

/**
 * A store key and its revision when the plan was made; 0: it must not exist. Keys: `commit.<ns>` and `fact.<key>`. Never a key that a
 * step of the same plan writes: an interrupted plan is resumed only while its basis still holds.
 */
export type Basis = {
  readonly key: string;
  readonly revision: number;
};

/** The step kinds of one primitive: arguments and output of each. */
export type Kinds = Readonly<Record<string, { readonly args: Json; readonly out: Json }>>;

/** A planned step is plain data: printed by preview, journaled, replayed. */
export type PlannedStep<K extends Kinds = Kinds> = {
  [N in keyof K & string]: {
    /** Deterministic, unique in the plan: `start web.1@m2`. */
    readonly id: string;
    readonly kind: N;
    readonly args: K[N]["args"];
    /** The machine it acts on; absent for the store and the coordinator. */
    readonly machine?: string;
    /** For people: `start web.1 on m2`. */
    readonly title: string;
    /** Ids of steps that must be done first. Steps that do not depend on each other run in parallel. */
    readonly needs: readonly string[];
  };
}[keyof K & string];

/** What a plan will change, for people and programs. */
export type Summary = { readonly [key: string]: Json };

/** Immutable. Leaves no choice to the executor. */
export type Plan<K extends Kinds = Kinds, S extends Summary = Summary> = {
  readonly basis: readonly Basis[];
  /** Undone in reverse if anything fails before the commit. */
  readonly prepare: readonly PlannedStep<K>[];
  /** Forward only, after the commit. */
  readonly settle: readonly PlannedStep<K>[];
  readonly summary: S;
  /** False: there is nothing to do, and there are no steps. */
  readonly changes: boolean;
  readonly warnings: readonly string[];
};
