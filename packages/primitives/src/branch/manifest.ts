import type { Refusal } from "../engine/types.ts";
import { renderManifest } from "../manifest/render.ts";
import type { Commit } from "../model/commit.ts";
import type { BranchInput } from "./input.ts";
import { branchedState } from "./state.ts";

/**
 * What a branch would be, as a manifest: its services, jobs and routes, and volumes that are new and empty. That data is cloned is
 * nothing that a manifest can say, nor that everything is on one machine.
 */
export function branchManifest(
  input: BranchInput,
  from: Commit,
): { readonly text: string } | { readonly refusals: readonly Refusal[] } {
  const { services, jobs, volumes, refusals } = branchedState(input, from);
  if (refusals.length > 0) return { refusals };
  const text = renderManifest({
    namespace: input.target,
    services,
    jobs,
    volumes: Object.entries(volumes).map(([name, { spec }]) => ({ name, spec })),
  });
  return { text };
}
