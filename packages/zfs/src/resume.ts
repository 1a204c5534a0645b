import { PloyzError } from "@ployz/exec";
import { argv } from "./argv.ts";
import { type CallOptions, call } from "./call.ts";
import { requireFeature, type ZfsCapabilities } from "./capabilities.ts";
import { findDataset } from "./datasets.ts";

/** How a sender goes on after a `resumable` receive broke off; `undefined` when there is nothing to go on with. */
export async function resumeToken(dataset: string, options: CallOptions = {}): Promise<string | undefined> {
  const value = (await findDataset(dataset, options))?.properties.get("receive_resume_token")?.value;
  return value === undefined || value === "-" || value === "" ? undefined : value;
}

/**
 * The guid of the snapshot that a token goes on with. A token names what is sent: one that came from elsewhere is read before it is used.
 * On the sending side, which has the snapshot.
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

/** Of `zfs send -nvt`: a line `toguid = 0x…`. In decimal. */
export function parseTokenGuid(text: string): string | undefined {
  const hex = /^\s*toguid = (0x[0-9a-f]+)$/m.exec(text)?.[1];
  return hex === undefined ? undefined : BigInt(hex).toString();
}

/** Throws away what a receive that broke off has kept. Nothing where there is nothing. */
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
      message: "the resume token does not name a snapshot that is here",
      hint: "send from the beginning",
    },
    { cause },
  );
