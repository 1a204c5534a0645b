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
      // An import would read every export of the module, and some load streams: a tenth of the time that `--version` takes.
      return JSON.parse(process.getBuiltinModule("node:fs").readFileSync(join(dir, file), "utf8"));
    } catch {
      return undefined;
    }
  };
  const { version = "unknown", build = "unknown" } = read("version.json") ?? read("package.json") ?? {};
  return { version, build };
}

const FLAGS = ["--version", "-V", "--json", "--plain", "--no-color", "--quiet", "-q"];

/** The line to print if the arguments ask for the version, and for nothing else. */
export function versionText(argv: readonly string[]): string | undefined {
  if (!argv.includes("--version") && !argv.includes("-V")) return undefined;
  if (!argv.every((token) => FLAGS.includes(token))) return undefined;
  const document = { kind: "version", ...installedVersion(), node: process.version } as const;
  return `${argv.includes("--json") ? JSON.stringify(document) : document.version}\n`;
}
