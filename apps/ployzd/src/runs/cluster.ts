import { errorBody } from "@ployz/errors";
import type { RunList, RunStopped } from "@ployz/primitives/client";
import { PloyzError } from "../error-codes.ts";
import type { AskPeer } from "../peers/ask.ts";
import type { Runs } from "./open.ts";

/** One-off instances of all machines. Needs no store. */
export interface ClusterRuns {
  /** `of`: only of these machines. */
  list(of?: ReadonlySet<string>): Promise<RunList>;
  /** @throws PloyzError `no_such_instance`, or the error of a machine that does not answer. */
  stop(id: string): Promise<RunStopped>;
}

/** A machine that has not listed its runs by then counts as one that does not answer. */
const LIST_MS = 10_000;

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `no answer within ${ms} ms`;
      reject(new PloyzError({ code: "machine_unreachable", message, hint: "run the command again" }));
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function clusterRuns({
  self,
  members,
  ask,
  runs,
}: {
  readonly self: string;
  readonly members: () => readonly { readonly id: string }[];
  readonly ask: AskPeer;
  readonly runs: Runs;
}): ClusterRuns {
  const all = <T>(here: () => Promise<T>, there: (machine: string) => Promise<T>, of?: ReadonlySet<string>) =>
    Promise.all(
      members()
        .filter(({ id }) => of?.has(id) ?? true)
        .map(async ({ id: machine }) => {
          try {
            return { machine, found: await (machine === self ? here() : there(machine)) };
          } catch (error) {
            return { machine, error: errorBody(error) };
          }
        }),
    );
  return {
    async list(of) {
      const answers = await all(
        () => within(LIST_MS, runs.list()),
        (machine) => within(LIST_MS, ask(machine, "run.list", null)),
        of,
      );
      return {
        kind: "runs",
        runs: answers.flatMap(({ machine, found = [] }) => found.map((run) => ({ ...run, machine }))),
        unreachable: answers.flatMap(({ machine, error }) =>
          error === undefined ? [] : [{ machine, error }],
        ),
      };
    },
    async stop(id) {
      const answers = await all(
        async () => ({ stopped: await runs.stop(id) }),
        (machine) => ask(machine, "run.stop", { id }),
      );
      const where = answers.find(({ found }) => found?.stopped === true);
      if (where !== undefined) return { kind: "run-stopped", id, machine: where.machine };
      const silent = answers.find(({ error }) => error !== undefined);
      throw new PloyzError({
        code: silent === undefined ? "no_such_instance" : "machine_unreachable",
        message:
          silent === undefined
            ? `there is no run ${id}`
            : `no machine that answers has ${id}; ${silent.machine} does not answer`,
        hint: "ployzctl run ls",
      });
    },
  };
}
