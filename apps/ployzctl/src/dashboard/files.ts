import { readdir, readFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PloyzError } from "../error-codes.ts";

export interface StaticFile {
  readonly type: string;
  readonly content: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Beside the program in a release, and where `pnpm build` puts it in a checkout. */
const PLACES = ["./dashboard", "../../dashboard/dist", "../../../dashboard/dist"];

/** The files of the page by their path, such as `/index.html`. @throws PloyzError `dashboard_missing`. */
export async function pageFiles(places = PLACES): Promise<ReadonlyMap<string, StaticFile>> {
  const here = dirname(fileURLToPath(import.meta.url));
  for (const place of places) {
    const found = await filesIn(join(here, place)).catch(() => undefined);
    if (found?.has("/index.html") === true) return found;
  }
  throw new PloyzError({
    code: "dashboard_missing",
    message: "the dashboard is not part of this build",
    hint: "install a release, or in a checkout: pnpm --filter @ployz/dashboard build",
  });
}

async function filesIn(folder: string): Promise<ReadonlyMap<string, StaticFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && TYPES[extname(entry.name)] !== undefined);
  return new Map(
    await Promise.all(
      files.map(async ({ parentPath, name }) => {
        const path = join(parentPath, name);
        const content = await readFile(path);
        return [path.slice(folder.length), { type: TYPES[extname(name)] ?? "", content }] as const;
      }),
    ),
  );
}
