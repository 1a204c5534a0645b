import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { usage } from "../errors.ts";
import { whyUnreadable } from "../files.ts";
import { isTable, type Table } from "./document.ts";

const LINE = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/;

/**
 * Lines of `NAME=VALUE`; empty ones and comments are left out. A value in double quotes may have `\n`, `\t`, `\"` and `\\`; in single
 * quotes it is taken as it is. @throws PloyzError `usage`, naming file and line.
 */
export function parseEnvFile(text: string, name: string): Readonly<Record<string, string>> {
  const found = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .flatMap((raw, index): [string, string][] => {
      const line = raw.trim();
      if (line === "" || line.startsWith("#")) return [];
      const [, variable, value] = LINE.exec(line) ?? [];
      const read = value === undefined ? undefined : unquoted(value);
      if (variable === undefined || read === undefined)
        throw usage(`${name}: line ${index + 1} is not NAME=VALUE`, "quote a value that has spaces and #");
      return [[variable, read]];
    });
  return Object.fromEntries(found);
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

function unquoted(value: string): string | undefined {
  const [, double] = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(value) ?? [];
  if (double !== undefined) return double.replaceAll(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
  const [, single] = /^'([^']*)'\s*(?:#.*)?$/.exec(value) ?? [];
  if (single !== undefined) return single;
  return /^["']/.test(value) ? undefined : value.replace(/\s+#.*$/, "");
}

export async function readEnvFile(path: string, shown: string): Promise<Readonly<Record<string, string>>> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw usage(`${shown}: ${whyUnreadable(error)}`);
  });
  if (!isUtf8(bytes)) throw usage(`${shown}: is not UTF-8`, "save it as UTF-8");
  return parseEnvFile(bytes.toString("utf8"), shown);
}

/** The workload with the values of each `env_file` in its `env`. Other shapes stay, for the check. */
export async function withEnvFile(spec: Table, folder: string): Promise<Table> {
  if (spec.env_file === undefined) return spec;
  const { env_file: given, ...rest } = spec;
  const files: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (!files.every((file) => typeof file === "string") || !(rest.env === undefined || isTable(rest.env)))
    return spec;
  const values = await Promise.all(files.map((file) => readEnvFile(resolve(folder, file), file)));
  return { ...rest, env: Object.assign({}, ...values, rest.env) as Table };
}
