import { LOOK } from "@ployz/primitives/protocol";
import type { Runner } from "../operations/runner.ts";
import { type UnfinishedOptions, watchUnfinished } from "../operations/unfinished.ts";
import { openClockCheck } from "../schedules/clocks.ts";
import { type WatchDeps, watchSchedules } from "../schedules/watch.ts";

type Options = UnfinishedOptions &
  Pick<WatchDeps, "mirror" | "log"> & {
    readonly runner: Runner;
    members(): readonly { readonly id: string; readonly store: boolean }[];
  };

const CLOCKS = {
  sure: "the clock agrees with the store machines' again",
  unsure: "too few store machines tell their time to know whether the clock is right",
  off: "the clock differs from the store machines': no schedule starts here",
} as const;

/** Operations that this daemon begins or ends by itself: those of schedules, and those that lost their runner. */
export function watchOperations(options: Options): ReturnType<typeof watchUnfinished> {
  const { store, mirror, machines, runner, self, signal, log } = options;
  watchSchedules({
    ...{ store, mirror, self, signal, log, now: Date.now },
    clock: openClockCheck({
      ...{ self, now: Date.now, elapsed: () => performance.now() },
      storeMachines: () => options.members().flatMap(({ id, store: keeps }) => (keeps ? [id] : [])),
      clockOf: async (machine) =>
        (await machines.call(machine, "machine.observe", { namespaces: [] }, { ...LOOK, signal })).clockMs,
      report: (verdict) => log.warn({ clock: verdict }, CLOCKS[verdict]),
    }),
    heads: () => options.heads().map(({ commit }) => commit),
    machines: () => options.members().map(({ id }) => id),
    run: (request) => runner.run(request),
    isRunning: runner.isRunning,
  });
  return watchUnfinished(options);
}
