import { walkthrough } from "../../src/walkthrough.ts";

walkthrough("vm");
