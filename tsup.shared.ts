interface Bundler {
  define?: Record<string, string>;
  keepNames?: boolean;
  conditions?: string[];
}

/** Self-contained ESM: the payload needs no node_modules on the target. Split, so that each entry point loads only what it runs. */
export const bundle = {
  outExtension: () => ({ js: ".mjs" }),
  format: "esm" as const,
  target: "node20",
  platform: "node" as const,
  // ssh2 tries its native parts and works without them.
  noExternal: [/^(?!cpu-features$|.*\.node$).*/],
  external: [/\.node$/, "cpu-features"],
  splitting: true,
  minify: true,
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url); const __bundleDir = import.meta.dirname;',
  },
  esbuildOptions(options: Bundler) {
    options.define = { ...options.define, __dirname: "__bundleDir" };
    options.keepNames = true; // errors and stacks stay readable
    options.conditions = ["@ployz/source", "import", "node"];
  },
};
