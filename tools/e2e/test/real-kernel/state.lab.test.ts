import { environmentWithData } from "../../src/environment.ts";

environmentWithData("vm");
