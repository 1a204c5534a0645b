/**
 * A client for a running daemon's local API, and the types of its requests and answers.
 *
 * @module
 */
export type { KernelErrorCode } from "../error-codes.ts";
export { backupTitle, CLUSTER_SCHEDULES, scheduleTitle } from "../model/cluster-names.ts";
export { didYouMean } from "../model/did-you-mean.ts";
export type * from "../model/operation.ts";
export { decodeToken, MAX_TOKEN, TOKEN_PROTOCOL, type TokenText } from "../model/token-text.ts";
export { unknownName } from "../model/unknown-name.ts";
export type { StreamAsk, StreamOpened, TerminalSize } from "../streams/ask.ts";
export type { OpenStream } from "../streams/open.ts";
export type * from "./api.ts";
export { type CallOf, type Client, openClient, type ParamsOf } from "./client.ts";
export { type DialOptions, dialJoinPort } from "./dial.ts";
export { EXIT, exitCodeOf } from "./exit-code.ts";
export type { ClientTarget } from "./http.ts";
export { ago, bytes, duration } from "./readable.ts";
export type * from "./store.ts";
