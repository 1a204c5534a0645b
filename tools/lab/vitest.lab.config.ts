import { lab } from "../../vitest.shared.ts";

export default lab;
