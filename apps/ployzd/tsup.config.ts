import { defineConfig } from "tsup";
// @boundaries-ignore shared build settings of the applications
import { bundle } from "../../tsup.shared.ts";

export default defineConfig({ ...bundle, entry: { ployzd: "src/main.ts" } });
