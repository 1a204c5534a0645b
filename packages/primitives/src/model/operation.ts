import type { ErrorBody } from "@ployz/errors";
import Type, { type Static } from "typebox";
import type { Json } from "./json.ts";
import { count, error, list, object, text } from "./schema.ts";

export type OperationRequest = {
  readonly primitive: string;
  readonly input: Json;
  readonly mode: "preview" | "prepare" | "apply";
  /** With `apply`: the id of a prepared plan, which says primitive and input. */
  readonly prepared?: string;
  /** Never journaled, logged or echoed: an SSH private key, accepted host keys. */
  readonly credentials?: {
    readonly identity?: string;
    readonly agentSocket?: string;
    readonly acceptHostKeys?: "new" | readonly string[];
  };
  readonly by: string;
};

export const OperationState = Type.Enum([
  "running",
  "done",
  "failed",
  "aborted",
  "interrupted",
  "cleanup-owed",
]);
export type OperationState = Static<typeof OperationState>;

export type OperationEvent =
  | {
      readonly type: "accepted";
      readonly operation: string;
      readonly primitive: string;
      readonly resumed: boolean;
    }
  | { readonly type: "waiting"; readonly what: string }
  | { readonly type: "plan"; readonly plan: PlanView }
  | {
      readonly type: "step";
      readonly step: string;
      readonly title: string;
      readonly machine?: string;
      readonly state: "started" | "done" | "failed" | "undoing" | "undone" | "undo-failed";
      readonly ms?: number;
      readonly error?: ErrorBody;
    }
  | {
      readonly type: "progress";
      readonly step: string;
      readonly note: string;
      readonly done?: number;
      readonly total?: number;
    }
  | { readonly type: "committed"; readonly revision: number }
  | { readonly type: "refused"; readonly refusals: readonly ErrorBody[] }
  | { readonly type: "result"; readonly result: OperationResult };

export type OperationResult = {
  readonly kind: "operation";
  readonly operation: string;
  readonly primitive: string;
  readonly state: OperationState;
  readonly changed: boolean;
  readonly revision?: number;
  readonly output: Json;
  readonly error?: ErrorBody;
  /** Steps after the commit, or undos, that did not succeed. */
  readonly owed: readonly { readonly step: string; readonly error: ErrorBody }[];
  readonly warnings: readonly string[];
  readonly ms: number;
};

export type PlanView = {
  readonly kind: "plan";
  readonly primitive: string;
  readonly hash: string;
  readonly changes: boolean;
  readonly summary: Json;
  readonly warnings: readonly string[];
  /** Kept, to be applied by this id until then. */
  readonly prepared?: { readonly id: string; readonly expiresAt: string };
  readonly prepare: readonly {
    readonly id: string;
    readonly title: string;
    readonly machine?: string;
    readonly needs: readonly string[];
  }[];
  readonly settle: readonly {
    readonly id: string;
    readonly title: string;
    readonly machine?: string;
    readonly needs: readonly string[];
  }[];
};

/** One line of the operation log: what the journal adds up to. */
export const OperationSummary = object({
  operation: text(),
  primitive: text(),
  scope: list(text()),
  state: OperationState,
  coordinator: text(),
  by: text(),
  startedAt: text(),
  endedAt: Type.Optional(text()),
  revision: Type.Optional(count()),
  error: Type.Optional(error()),
  title: text(),
});
export type OperationSummary = Static<typeof OperationSummary>;

export type OperationDetail = {
  readonly kind: "operation-detail";
  readonly summary: OperationSummary;
  readonly plan?: PlanView;
  readonly steps: readonly {
    readonly id: string;
    readonly title: string;
    readonly machine?: string;
    readonly phase: "prepare" | "settle";
    readonly state: "pending" | "started" | "done" | "failed" | "undone" | "undo-failed";
    readonly ms?: number;
    readonly error?: ErrorBody;
  }[];
  readonly owed: OperationResult["owed"];
};
