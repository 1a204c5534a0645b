import { defineConfig, mergeConfig } from "vitest/config";
// @boundaries-ignore shared test settings of the repository
import { lab } from "../../vitest.shared.ts";

/** A whole cluster for each file: one at a time, each with minutes to spend. */
export default mergeConfig(
  lab,
  defineConfig({
    test: {
      testTimeout: 300_000,
      hookTimeout: 300_000,
      exclude: ["test/nightly/**", "test/real-kernel/**", "**/node_modules/**"],
    },
  }),
);
