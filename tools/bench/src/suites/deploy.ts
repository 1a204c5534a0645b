import { withLab } from "../lab.ts";
import type { Suite } from "../suite.ts";

export const deploySuite: Suite = ({ progress }) => withLab({ docker: false, progress }, async () => []);
