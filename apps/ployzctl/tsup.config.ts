import { defineConfig } from "tsup";
// @boundaries-ignore shared build settings of the applications
import { bundle } from "../../tsup.shared.ts";

export default defineConfig({ ...bundle, entry: { ployzctl: "src/main.ts" } });
