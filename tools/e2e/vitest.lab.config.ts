import { defineConfig, mergeConfig } from "vitest/config";
// @boundaries-ignore shared test settings of the repository
import { lab } from "../../vitest.shared.ts";

/** A whole cluster for each file: one at a time, each with minutes to spend. */
export default mergeConfig(
  lab,
  defineConfig({
    test: {
      // A build server shares its cores: what fails once is run once more there, and the report says so.
      retry: process.env.CI === undefined ? 0 : 1,
      testTimeout: 300_000,
      hookTimeout: 300_000,
      exclude: ["test/nightly/**", "**/node_modules/**"],
    },
  }),
);
