import type { ChangeFacts, Head } from "../change/observe/facts.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { PlannedStep } from "../engine/types.ts";
import type { Volume } from "../model/commit.ts";
import { own } from "../model/own.ts";

type Hook = PlannedStep<Pick<ChangeKinds, "backup.hook">>;

/** The programs around a volume's snapshot. `warning`: nothing runs that could run them. */
export type Hooks = { readonly before?: Hook; readonly after?: Hook; readonly warning?: string };

/** They run in the instance that uses the volume. An `after` also runs when what comes before it fails. Pure. */
export function hooksOf(
  { name, machine, spec: { backup } }: Volume,
  snapshot: string,
  { commit }: Head,
  { machines }: Pick<ChangeFacts, "machines">,
): Hooks {
  if (backup === undefined || (backup.before ?? backup.after) === undefined) return {};
  const { before, after, timeoutMs } = backup;
  const running = machines
    .find(({ record }) => record.id === machine)
    ?.observation?.instances.filter(({ state }) => state === "running");
  const id = commit.instances.find(
    (one) => own(one.volumes, name) !== undefined && running?.some((seen) => seen.id === one.id),
  )?.id;
  if (id === undefined)
    return { warning: `no instance uses ${name} now: what its backup runs before and after is left out` };
  const args = { machine, id, timeoutMs };
  return {
    before: {
      ...{ id: `before ${name}`, kind: "backup.hook", machine, needs: [] },
      args: { ...args, ...(before && { argv: before }), ...(after && { undo: after }) },
      title: before === undefined ? `use ${id} for ${name}` : `run ${before[0]} in ${id}`,
    },
    ...(after !== undefined && {
      after: {
        ...{ id: `after ${name}`, kind: "backup.hook", machine, needs: [snapshot] },
        args: { ...args, argv: after },
        title: `run ${after[0]} in ${id}`,
      },
    }),
  };
}
