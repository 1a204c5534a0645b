import { defineConfig } from "vitest/config";

/** Resolves workspace packages to their sources, so that tests need no build. */
const conditions = ["@ployz/source"];

export const shared = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/*.lab.test.ts"],
    testTimeout: 20_000,
  },
});

/** Tests that need root and the real programs: `*.lab.test.ts`. */
export const lab = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  // Of global set-ups.
  environments: { __vitest__: { resolve: { conditions } } },
  test: {
    include: ["src/**/*.lab.test.ts", "test/**/*.lab.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
