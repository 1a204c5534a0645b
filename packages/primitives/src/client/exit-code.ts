import type { ErrorBody } from "@ployz/errors";
import type { OperationResult, PlanView } from "../model/operation.ts";

/** Exit codes of `ployzctl`. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  precondition: 3,
  unreachable: 4,
  cleanupOwed: 5,
  aborted: 130,
} as const;

const USAGE = new Set([
  "usage",
  "invalid_input",
  "manifest_invalid",
  "config_invalid",
  "cidr_invalid",
  "bundle_invalid",
  "volume_file_invalid",
]);
const UNREACHABLE = new Set([
  "daemon_unreachable",
  "daemon_timeout",
  "store_unavailable",
  "store_no_majority",
  "store_left_fenced",
  "store_refounding_unfinished",
  "commit_unknown",
  "machine_unreachable",
  "stream_interrupted",
  "ssh_unreachable",
]);

type Refused = { readonly kind: "refused"; readonly refusals: readonly ErrorBody[] };

/** Of an error: 3 unless its code says otherwise, since an error that is no operation's result has changed nothing. */
export function exitCodeOf(outcome: string | ErrorBody | Refused | OperationResult | PlanView): number {
  if (typeof outcome === "string")
    return ofCode(outcome) ?? (outcome === "internal" ? EXIT.failed : EXIT.precondition);
  if ("code" in outcome) return exitCodeOf(outcome.code);
  switch (outcome.kind) {
    case "plan":
      return EXIT.done;
    case "refused":
      return ofRefusals(outcome.refusals.map(exitCodeOf));
    case "operation":
      return ofResult(outcome);
  }
}

/** A mistake in the input outweighs what could not be reached, and that outweighs a precondition. */
function ofRefusals(codes: readonly number[]): number {
  const order = [EXIT.aborted, EXIT.usage, EXIT.unreachable, EXIT.failed];
  return order.find((code) => codes.includes(code)) ?? EXIT.precondition;
}

function ofResult({ state, revision, error }: OperationResult): number {
  switch (state) {
    case "done":
      return EXIT.done;
    case "aborted":
      return EXIT.aborted;
    case "cleanup-owed":
      // Owed by an undo: nothing was committed, the operation failed.
      return revision === undefined ? EXIT.failed : EXIT.cleanupOwed;
    default:
      return error !== undefined && UNREACHABLE.has(error.code) ? EXIT.unreachable : EXIT.failed;
  }
}

function ofCode(code: string): number | undefined {
  if (code === "aborted") return EXIT.aborted;
  if (USAGE.has(code)) return EXIT.usage;
  return UNREACHABLE.has(code) ? EXIT.unreachable : undefined;
}
