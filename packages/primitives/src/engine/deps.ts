import type { ErrorBody } from "@ployz/errors";
import type { Json } from "../model/json.ts";
import type { OperationEvent, OperationResult, PlanView } from "../model/operation.ts";
import type { Clock } from "./clock.ts";
import type { Limits } from "./limits.ts";
import type { Kinds, Primitive, PrimitivePorts, Summary } from "./types.ts";

/** A primitive without its own types, as the engine runs it. */
export type AnyPrimitive = Primitive<PrimitivePorts, Json, unknown, Kinds, Json, Summary, unknown>;

/** A primitive with ports to undo or finish its interrupted operations. Made with `register`. */
export interface RegisteredPrimitive {
  readonly primitive: AnyPrimitive;
  readonly ports: PrimitivePorts;
}

/** Registered primitives, by name. */
export type PrimitiveRegistry = ReadonlyMap<string, RegisteredPrimitive>;

/** Forgets a primitive's own types, keeping it together with ports that fit it. */
export function register<
  Ports extends PrimitivePorts,
  In extends Json,
  Facts,
  K extends Kinds,
  R extends Json,
>(primitive: Primitive<Ports, In, Facts, K, R>, ports: Ports): RegisteredPrimitive;
export function register(primitive: AnyPrimitive, ports: PrimitivePorts): RegisteredPrimitive {
  return { primitive, ports };
}

/** What the engine needs of its host, besides the primitive. */
export interface EngineDeps<Ports extends PrimitivePorts = PrimitivePorts> {
  readonly ports: Ports;
  readonly clock: Clock;
  readonly ids: {
    /** A new ULID. */
    newOperationId(): string;
  };
  /** The machine that this daemon is, and who asked (`user@machine`, for people). */
  readonly self: { readonly machine: string; readonly by: string };
  /** The store's generation now; part of every fence. */
  generation(): number;
  /** Must not throw. */
  emit(event: OperationEvent): void;
  /** The operator's abort: undoes before the commit, does nothing after it. */
  readonly signal: AbortSignal;
  readonly limits?: Partial<Limits>;
  /** Other primitives that share scopes with this one, so that their interrupted operations can be resolved first. */
  readonly primitives?: PrimitiveRegistry;
}

/** `prepare`: a preview whose plan is kept, to be applied later by the id in its view. */
export type RunMode = "preview" | "prepare" | "apply";

/** One command for `runOperation`. */
export interface RunRequest<Sent = unknown, M extends RunMode = RunMode> {
  readonly input: Sent;
  readonly mode: M;
  /** Applies only this very plan. `id` is the operation's then. */
  readonly prepared?: { readonly id: string; readonly hash: string };
}

/** Nothing was touched; every reason at once. */
export type Refused = {
  readonly kind: "refused";
  readonly primitive: string;
  readonly refusals: readonly ErrorBody[];
};

/** `plan`: a preview or a prepared plan. `refused`: nothing was touched. `operation`: the result of a run that was applied. */
export type Outcome<R extends Json = Json, S = Json, M extends RunMode = RunMode> =
  | Refused
  | (M extends "apply" ? OperationResult<R> : PlanView<S>);
