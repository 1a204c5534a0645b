import { argv } from "./argv.ts";
import { type CallOptions, call } from "./call.ts";
import { requireFeature, type ZfsCapabilities } from "./capabilities.ts";
import { findDataset } from "./datasets.ts";
import { PloyzError } from "./error-codes.ts";

/** The token with which a sender continues an interrupted `resumable` receive; `undefined` when there is none. */
export async function resumeToken(dataset: string, options: CallOptions = {}): Promise<string | undefined> {
  const value = (await findDataset(dataset, options))?.properties.get("receive_resume_token")?.value;
  return value === undefined || value === "-" || value === "" ? undefined : value;
}

/**
 * The guid of the snapshot that a token continues. A token decides which snapshot is sent, so check one that came from elsewhere before using it.
 * Runs on the sending side, which has the snapshot.
 * @throws PloyzError `feature_missing`, `resume_token_invalid`.
 */
export async function resumesTo(
  capabilities: ZfsCapabilities,
  token: string,
  options: CallOptions = {},
): Promise<string> {
  requireFeature(capabilities, "resume_tokens", "resume tokens");
  const said = await call(argv.readToken(token), options).catch((cause: unknown) => {
    throw unreadable(cause);
  });
  const guid = parseTokenGuid(said.stdout + said.stderr);
  if (guid === undefined) throw unreadable();
  return guid;
}

/** Reads the line `toguid = 0x…` of `zfs send -nvt`. Returns decimal. */
export function parseTokenGuid(text: string): string | undefined {
  const hex = /^\s*toguid = (0x[0-9a-f]+)$/m.exec(text)?.[1];
  return hex === undefined ? undefined : BigInt(hex).toString();
}

/** Discards the partial data of an interrupted receive, if any. */
export async function abortReceive(
  { features }: ZfsCapabilities,
  dataset: string,
  options: CallOptions = {},
): Promise<void> {
  if (!features.has("resume_tokens") || (await resumeToken(dataset, options)) === undefined) return;
  await call(argv.abortReceive(dataset), options);
}

const unreadable = (cause?: unknown) =>
  new PloyzError(
    {
      code: "resume_token_invalid",
      message: "the resume token does not name a snapshot of this machine",
      hint: "send from the beginning",
    },
    { cause },
  );
