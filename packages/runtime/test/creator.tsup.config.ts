import { defineConfig } from "tsup";

/** Node 20 runs no TypeScript: the fixture is bundled with the package's sources. */
export default defineConfig({
  entry: ["test/creator.ts"],
  format: "esm",
  target: "node20",
  outDir: "node_modules/.cache/creator",
  noExternal: [/./],
  silent: true,
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
  esbuildOptions: (options) => {
    options.conditions = ["@ployz/source"];
  },
});
