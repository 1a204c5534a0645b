import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The payload's folder, when this program runs from one: `<dir>/lib/ployzctl.mjs`. */
export const payloadDir = (): string => dirname(dirname(fileURLToPath(import.meta.url)));

export interface Version {
  readonly version: string;
  /** Hash over the payload's content. */
  readonly build: string;
}

/** The version of the payload that this program is part of; a checkout has no build. */
export function installedVersion(dir = payloadDir()): Version {
  try {
    const { version, build } = JSON.parse(readFileSync(join(dir, "version.json"), "utf8")) as Version;
    return { version, build };
  } catch {
    return { version: "0.0.0", build: "unknown" };
  }
}
