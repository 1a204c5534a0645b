import { defineConfig } from "vitest/config";
// @boundaries-ignore shared test settings of the repository
import { lab } from "../../vitest.shared.ts";

/** On virtual machines with OpenZFS and WireGuard in their kernels: scripts/test-real-kernel.sh. */
export default defineConfig({
  ...lab,
  test: {
    ...lab.test,
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
    env: { PLOYZ_LAB_KIND: "vm" },
    include: ["test/real-kernel/**/*.lab.test.ts"],
  },
});
