// @boundaries-ignore shared test settings of the repository
import { lab } from "../../vitest.shared.ts";

export default lab;
