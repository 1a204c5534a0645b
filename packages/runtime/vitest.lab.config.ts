import { mergeConfig } from "vitest/config";
// @boundaries-ignore shared test settings of the repository
import { lab } from "../../vitest.shared.ts";

export default mergeConfig(lab, { test: { globalSetup: ["test/lab-setup.ts"] } });
