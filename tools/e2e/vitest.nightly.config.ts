import { defineConfig } from "vitest/config";
// @boundaries-ignore shared test settings of the repository
import { lab } from "../../vitest.shared.ts";

/** The long ones: kill loops over whole journals, other kinds of machines. */
export default defineConfig({
  ...lab,
  test: {
    ...lab.test,
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    include: ["test/nightly/**/*.lab.test.ts"],
  },
});
