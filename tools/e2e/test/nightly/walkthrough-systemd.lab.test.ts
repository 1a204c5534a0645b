import { walkthrough } from "../../src/walkthrough.ts";

walkthrough("systemd");
