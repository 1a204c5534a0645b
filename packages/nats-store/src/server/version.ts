import { findProgram, run } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";

/** Below this, compare-and-set, per-message TTL or sync_interval cannot be relied on. */
export const neededVersion = "2.12.0";

const fix = `install nats-server ${neededVersion} or newer (it is part of the release payload), or name one with store.server in the configuration`;

/** `nats-server: v2.15.1` → `2.15.1`. */
export function parseVersion(output: string): string | undefined {
  return /nats-server: v?(\d+\.\d+\.\d+)/.exec(output)?.[1];
}

export function isNewEnough(version: string): boolean {
  const [found, needed] = [version, neededVersion].map((text) => text.split(".").map(Number));
  for (let at = 0; at < 3; at += 1) {
    const difference = (found?.[at] ?? 0) - (needed?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/**
 * The nats-server to run: `binary`, or the one in PATH.
 * @throws PloyzError `nats_server_missing`, `nats_server_too_old`.
 */
export async function findServer(
  binary?: string,
): Promise<{ readonly path: string; readonly version: string }> {
  const path = binary ?? (await findProgram("nats-server"));
  if (path === undefined) {
    throw new PloyzError({
      code: "nats_server_missing",
      message: "nats-server is not in PATH",
      hint: fix,
    });
  }
  const output = await run(path, ["--version"], { timeoutMs: 10_000 }).catch((cause: unknown) => {
    throw new PloyzError(
      { code: "nats_server_missing", message: `${path} does not run`, hint: fix },
      { cause },
    );
  });
  const version = parseVersion(output.stdout + output.stderr);
  if (version === undefined) {
    throw new PloyzError({ code: "nats_server_missing", message: `${path} is not nats-server`, hint: fix });
  }
  if (!isNewEnough(version)) {
    throw new PloyzError({
      code: "nats_server_too_old",
      message: `${path} is nats-server ${version}; the store needs ${neededVersion} or newer`,
      hint: fix,
      details: { found: version, needed: neededVersion, path },
    });
  }
  return { path, version };
}
