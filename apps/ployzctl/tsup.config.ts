import { defineConfig } from "tsup";
// @boundaries-ignore shared build settings of the applications
import { bundle } from "../../tsup.shared.ts";
import { mergeAtStart } from "./tsup.merge.ts";

export default defineConfig({
  ...bundle,
  entry: { ployzctl: "src/main.ts" },
  esbuildPlugins: [mergeAtStart("ployzctl", ["completed", "cli"], bundle.banner.js)],
});
