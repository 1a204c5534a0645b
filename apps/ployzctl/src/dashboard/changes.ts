import { errorBody, PloyzError as WireError } from "@ployz/errors";
import type { Asked, Client, OperationCall, OperationEvent, PlanView } from "@ployz/primitives/client";
import { PloyzError } from "../error-codes.ts";

/** What the page may change with --write. */
export const CHANGES = [
  "machine-activate",
  "machine-drain",
  "restart",
  "rollback",
  "start",
  "stop",
  "volume-snapshot",
] as const satisfies readonly Asked["primitive"][];

/** A plan that waits for a yes, or why there is none. */
export type Preview =
  | { readonly kind: "preview"; readonly plan: PlanView }
  | { readonly kind: "refused"; readonly refusals: readonly unknown[] };

export interface Started {
  readonly kind: "started";
  readonly operation: string;
}

/** Changes of the page: each is shown as a plan first, and only a plan that was shown here is applied. */
export interface Changes {
  /** @throws PloyzError `invalid_input`. */
  preview(body: unknown, signal: AbortSignal): Promise<Preview>;
  /** Applies a plan that was shown; resolves when the operation has begun. @throws PloyzError `invalid_input`. */
  apply(body: unknown): Promise<Started>;
  /** @throws PloyzError `invalid_input`. */
  abort(body: unknown): Promise<unknown>;
}

const invalid = (message: string) => new PloyzError({ code: "invalid_input", message });
const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

/** The plans that were shown and not applied yet. */
const MOST_SHOWN = 50;

export function openChanges(client: Client, by: string): Changes {
  const shown = new Map<string, Asked["primitive"]>();
  const events = (body: OperationCall, signal?: AbortSignal) =>
    client.stream("POST /v1/operations", { body, ...(signal && { signal }) });
  return {
    async preview(body, signal) {
      const { primitive, input } = record(body);
      const known = CHANGES.find((one) => one === primitive);
      if (known === undefined) throw invalid(`primitive: must be one of ${CHANGES.join(", ")}`);
      // The daemon checks the input by the primitive's schema.
      const asked = { primitive: known, input } as Asked;
      for await (const event of events({ ...asked, mode: "prepare", by }, signal)) {
        if (event.type === "refused") return { kind: "refused", refusals: event.refusals };
        if (event.type !== "plan") continue;
        const { plan } = event;
        if (plan.prepared !== undefined) shown.set(plan.prepared.id, known);
        if (shown.size > MOST_SHOWN) shown.delete([...shown.keys()][0] ?? "");
        return { kind: "preview", plan };
      }
      throw new PloyzError({ code: "daemon_unreachable", message: "the daemon ended without a plan" });
    },
    async apply(body) {
      const { prepared } = record(body);
      const primitive = typeof prepared === "string" ? shown.get(prepared) : undefined;
      if (typeof prepared !== "string" || primitive === undefined)
        throw invalid("prepared: must be the id of a plan that this page has shown");
      shown.delete(prepared);
      const running = events({ primitive, input: null, prepared, mode: "apply", by })[Symbol.asyncIterator]();
      for (let next = await running.next(); next.done !== true; next = await running.next()) {
        const refusal = refusalOf(next.value);
        if (refusal !== undefined) throw refusal;
        if (next.value.type !== "accepted") continue;
        const { operation } = next.value;
        // It runs in the daemon; the page follows it by its own stream.
        await running.return?.();
        return { kind: "started", operation };
      }
      throw new PloyzError({ code: "daemon_unreachable", message: "the daemon ended without a result" });
    },
    async abort(body) {
      const { operation, confirm } = record(body);
      if (typeof operation !== "string" || operation === "") throw invalid("operation: must be its id");
      if (confirm !== operation) throw invalid("confirm: must repeat the operation's id");
      return client.request("POST /v1/operations/:id/abort", { params: { id: operation }, idleMs: 600_000 });
    },
  };
}

function refusalOf(event: OperationEvent): WireError | undefined {
  if (event.type !== "refused") return undefined;
  const [first] = event.refusals;
  return new WireError(first ?? errorBody(new Error("refused")));
}
