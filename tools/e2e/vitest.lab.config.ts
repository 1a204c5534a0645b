import { defineConfig, mergeConfig } from "vitest/config";
// @boundaries-ignore shared test settings of the repository
import { lab } from "../../vitest.shared.ts";

/** Scenes with times of their own (a power cut, a busy machine, a load): they run alone, after the others. */
const alone = ["exec", "failures", "instances", "load", "secrets", "walkthrough"].map(
  (name) => `test/${name}.lab.test.ts`,
);
const never = ["test/nightly/**", "test/real-kernel/**", "**/node_modules/**"];

/** A whole cluster for each file, each with minutes to spend: two files at once, since a cluster waits half of its time. */
export default mergeConfig(
  lab,
  defineConfig({
    test: {
      projects: [
        {
          extends: true,
          test: {
            name: "beside",
            exclude: [...alone, ...never],
            fileParallelism: true,
            maxWorkers: 2,
            sequence: { groupOrder: 1 },
          },
        },
        {
          extends: true,
          test: {
            name: "alone",
            include: alone,
            exclude: never,
            fileParallelism: false,
            sequence: { groupOrder: 2 },
          },
        },
      ],
      testTimeout: 300_000,
      hookTimeout: 300_000,
    },
  }),
);
