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

/** The version of the payload that this program is part of; a checkout has the version of its package, and no build. */
export function installedVersion(dir = payloadDir()): Version {
  const read = (file: string): Partial<Version> | undefined => {
    try {
      return JSON.parse(readFileSync(join(dir, file), "utf8"));
    } catch {
      return undefined;
    }
  };
  const { version = "unknown", build = "unknown" } = read("version.json") ?? read("package.json") ?? {};
  return { version, build };
}
