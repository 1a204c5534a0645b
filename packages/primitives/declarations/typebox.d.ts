export * from "./types.js";
export * as default from "./types.js";
