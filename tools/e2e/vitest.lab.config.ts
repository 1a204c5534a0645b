import { defineConfig } from "vitest/config";
// @boundaries-ignore shared test settings of the repository
import { lab } from "../../vitest.shared.ts";

const named = (names: readonly string[]) => names.map((name) => `test/${name}.lab.test.ts`);
/** Scenes with times of their own (a busy machine, a terminal): they run alone, after the others. */
const alone = named(["exec", "failures", "instances", "walkthrough"]);
const others = ["test/nightly/**", "test/real-kernel/**", "**/node_modules/**"];

const project = (test: object) => ({
  ...lab,
  test: { ...lab.test, testTimeout: 300_000, hookTimeout: 300_000, ...test },
});

/** A whole cluster for each file, each with minutes to spend: two files at once, since a cluster waits half of its time. */
export default defineConfig({
  test: {
    projects: [
      project({
        ...{ name: "beside", exclude: [...alone, ...others] },
        ...{ fileParallelism: true, maxWorkers: 2, sequence: { groupOrder: 1 } },
      }),
      project({ name: "alone", include: alone, exclude: others, sequence: { groupOrder: 2 } }),
    ],
  },
});
