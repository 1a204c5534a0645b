import { defineConfig } from "tsup";

/** One self-contained ESM file: the payload needs no node_modules on the target. */
export default defineConfig({
  entry: { ployzd: "src/main.ts" },
  outExtension: () => ({ js: ".mjs" }),
  format: "esm",
  target: "node20",
  platform: "node",
  noExternal: [/.*/],
  external: ["cpu-features", "*.node"],
  splitting: false,
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  esbuildOptions(options) {
    options.conditions = ["@ployz/source", "import", "node"];
  },
});
