import type { PrimitivePorts, StepDef } from "../engine/types.ts";
import type { RepositoryAt } from "../model/backup.ts";

/** Steps of operations on repositories. */
export type RepositoryKinds = {
  "backup.open": {
    args: { readonly machine: string; readonly repository: RepositoryAt };
    out: { readonly created: boolean };
  };
};

const SECOND = 1000;
const OPEN = 120 * SECOND;

export const open: StepDef<
  PrimitivePorts,
  RepositoryKinds["backup.open"]["args"],
  RepositoryKinds["backup.open"]["out"],
  RepositoryKinds
> = {
  timeoutMs: () => OPEN + 15 * SECOND,
  retryTransient: true,
  apply: ({ machine, repository }, { call, signal }) =>
    call(machine, "backup.open", { repository }, { timeoutMs: OPEN, signal }),
};
