// @boundaries-ignore shared test settings of the repository
import { shared } from "../../vitest.shared.ts";

export default shared;
