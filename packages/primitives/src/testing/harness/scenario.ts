import type { PrimitiveRegistry } from "../../engine/deps.ts";
import type { Kinds, Primitive, PrimitivePorts, Summary } from "../../engine/types.ts";
import type { Json } from "../../model/json.ts";
import type { VirtualClock } from "../clock.ts";

/** A cluster in memory, with everything that the primitive's ports reach. */
export interface World<Ports extends PrimitivePorts> {
  readonly clock: VirtualClock;
  readonly ports: Ports;
  /** Other primitives that may have left something on the same scopes. */
  readonly primitives?: PrimitiveRegistry;
}

/** A primitive, a world for it and an input: for `checkPrimitive`. */
export interface Scenario<
  Ports extends PrimitivePorts,
  In extends Json,
  Facts,
  K extends Kinds,
  R extends Json,
  W extends World<Ports> = World<Ports>,
> {
  readonly primitive: Primitive<Ports, In, Facts, K, R, Summary, unknown>;
  /** A fresh world, the same every time. */
  world(): W | Promise<W>;
  readonly input: unknown;
  /**
   * All that an operator could find: running, reserved, committed and left over. Without operation ids, revisions and times,
   * and sorted, so that it is the same for the same state. Orphans must show in it.
   */
  inspect(world: W): Json | Promise<Json>;
  /** Machines whose daemons run the command; they need not be machines of the world. */
  readonly coordinators?: readonly [string, string];
}

/** What went wrong, and at which fault. Empty lists are what a sound primitive gives. */
export interface Violation {
  readonly check: string;
  readonly at: string;
  readonly message: string;
}
