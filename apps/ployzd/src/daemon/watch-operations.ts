import type { Runner } from "../operations/runner.ts";
import { type UnfinishedOptions, watchUnfinished } from "../operations/unfinished.ts";
import { type WatchDeps, watchSchedules } from "../schedules/watch.ts";

type Options = UnfinishedOptions &
  Pick<WatchDeps, "mirror" | "log"> & {
    readonly runner: Runner;
    members(): readonly { readonly id: string }[];
  };

/** Operations that this daemon begins or ends by itself: those of schedules, and those that lost their runner. */
export function watchOperations(options: Options): ReturnType<typeof watchUnfinished> {
  const { store, mirror, runner, self, signal, log } = options;
  watchSchedules({
    ...{ store, mirror, self, signal, log, now: Date.now },
    heads: () => options.heads().map(({ commit }) => commit),
    machines: () => options.members().map(({ id }) => id),
    run: (request) => runner.run(request),
    isRunning: runner.isRunning,
  });
  return watchUnfinished(options);
}
