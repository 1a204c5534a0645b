import { EXIT, exitCodeOf } from "@ployz/primitives/client";
import type { Document, OperationEnd } from "./documents.ts";
import { ERRORS } from "./error-codes.ts";

/** The daemon's client knows the codes of the cluster alone. */
const OWN: Readonly<Record<string, { readonly exit: number }>> = ERRORS;

/** The exit code of a document. */
export function exitCode(document: Document): number {
  switch (document.kind) {
    case "error":
      return document.refusals === undefined
        ? (OWN[document.error.code]?.exit ?? exitCodeOf(document.error))
        : exitCodeOf({ kind: "refused", refusals: document.refusals });
    case "operation":
      return exitCodeOf(document);
    case "plan":
      return document.unconfirmed === undefined
        ? exitCodeOf(document)
        : exitCodeOf({ kind: "refused", refusals: document.unconfirmed });
    case "abort": {
      const { state, revision } = document;
      if (state !== "cleanup-owed" && state !== "interrupted") return EXIT.done;
      return revision === undefined ? EXIT.failed : EXIT.cleanupOwed;
    }
    case "machine-add":
      return worst(document.machines.map(ofEnd));
    case "machine-update":
      return worst(
        document.machines.map(({ state, errors }) =>
          state === "planned" || state === "not-tried" ? EXIT.done : ofEnd({ state, errors }),
        ),
      );
    case "detached":
      return document.committed ? EXIT.cleanupOwed : EXIT.aborted;
    case "doctor":
      return document.ok ? EXIT.done : EXIT.precondition;
    case "exec":
      return document.exitCode;
    case "ready":
      return document.ready ? EXIT.done : EXIT.failed;
    default:
      return EXIT.done;
  }
}

function ofEnd({ state, errors }: Pick<OperationEnd, "state" | "errors">): number {
  if (state === "done") return EXIT.done;
  if (state === "detached" || state === "aborted") return EXIT.aborted;
  if (state === "cleanup-owed" && errors.length === 0) return EXIT.cleanupOwed;
  if (state === "interrupted") return EXIT.unknown;
  if (state === "refused") return exitCodeOf({ kind: "refused", refusals: errors });
  const code = errors[0] === undefined ? EXIT.failed : exitCodeOf(errors[0]);
  return code === EXIT.unreachable || code === EXIT.unknown ? code : EXIT.failed;
}

/** The code that a script must not overlook: failures before refusals. */
function worst(codes: readonly number[]): number {
  const order = [
    EXIT.aborted,
    EXIT.failed,
    EXIT.unreachable,
    EXIT.precondition,
    EXIT.usage,
    EXIT.cleanupOwed,
  ];
  return order.find((code) => codes.includes(code)) ?? EXIT.done;
}
