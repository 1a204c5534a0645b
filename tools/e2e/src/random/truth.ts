import type { OperationDetail } from "@ployz/primitives/protocol";
import type { Cluster } from "../cluster.ts";
import { ANY, type Word } from "./commands.ts";

/** What became of a command's operation, when everything is at rest. */
export interface Truth {
  readonly summary?: OperationDetail["summary"];
  readonly committed: boolean;
}

export async function truthOf(cluster: Cluster, { operation }: Pick<Word, "operation">): Promise<Truth> {
  if (operation === undefined) return { committed: false };
  const { exitCode, stdout } = await cluster.ctl(1, ["ops", "show", operation, "--json"], { ok: ANY });
  if (exitCode !== 0) return { committed: false };
  const { summary } = JSON.parse(stdout) as OperationDetail;
  return { summary, committed: summary.revision !== undefined };
}

/** Contradictions between a command's last word and the state. */
export function lies(
  word: Pick<Word, "exitCode" | "document" | "line" | "stderr" | "operation">,
  { summary, committed }: Truth,
): readonly string[] {
  const { exitCode, document, line } = word;
  if (exitCode === undefined) return [];
  const is = summary === undefined ? "unknown" : `${summary.state}, revision ${summary.revision ?? "none"}`;
  const lie = (what: string) => [
    `${line}: exit code ${exitCode}, ${JSON.stringify({ ...document, output: undefined })}, but ${what} (${word.operation}: ${is}) ${document === undefined ? word.stderr.slice(-400) : ""}`,
  ];
  if (document === undefined) return lie("it printed no document");
  if (document.error?.code === "internal") return lie("that is a defect");
  if (document.operation !== undefined && summary === undefined) return lie("there is no such operation");
  switch (exitCode) {
    case 0:
      // One that has nothing to change leaves no record, and names none.
      if (document.changed === false && document.operation === undefined) return [];
      if (summary?.state !== "done") return lie("it is not done");
      return document.changed === committed ? [] : lie("its commit is another matter");
    case 5: {
      const unknown = document.state === "interrupted" || document.error?.code === "outcome_unknown";
      return committed || unknown ? [] : lie("it has no commit");
    }
    case 1:
    case 2:
    case 3:
    case 4:
    case 130:
      return committed && document.kind !== "detached" ? lie("it has committed") : [];
    default:
      return lie("there is no such exit code");
  }
}
