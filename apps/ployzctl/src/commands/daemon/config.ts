import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { readFileIfThere, run, writeFileAtomic } from "@ployz/exec";
import { parse } from "smol-toml";
import { PloyzError } from "../../error-codes.ts";

/** A missing file is an empty one. */
export const readConfigText = async (path: string): Promise<string> => (await readFileIfThere(path)) ?? "";

/** By `name`, or `table.name`. */
export type Fields = Readonly<Record<string, string | readonly string[]>>;

/**
 * Sets fields of the daemon's configuration and keeps everything else, comments too. `ployzd check` accepts the new text before it
 * replaces the file. Resolves with whether the file changed.
 * @throws PloyzError `config_invalid`: the present or the new file is invalid.
 */
export async function writeFields(path: string, fields: Fields, payload: string): Promise<boolean> {
  const before = await readConfigText(path);
  const after = Object.entries(fields).reduce((text, [name, value]) => setField(text, name, value), before);
  const fresh = join(dirname(path), `.config.toml.${process.pid}`);
  if (after === before) {
    if (before !== "") await check(path, path, payload);
    return false;
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  try {
    await writeFile(fresh, after, { mode: 0o600 });
    await check(fresh, path, payload);
  } finally {
    await rm(fresh, { force: true });
  }
  await writeFileAtomic(path, after, 0o644);
  await chmod(path, 0o644); // whatever the umask
  return true;
}

/** The text with one field set: `name`, or `table.name`, which is written below its table's header if there is one. */
export function setField(text: string, name: string, value: Fields[string]): string {
  if (isDeepStrictEqual(fieldOf(text, name), value)) return text;
  const all = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const [table, key] = name.includes(".") ? name.split(".") : [];
  const header = all.findIndex((one) => one.replace(/#.*/, "").trim() === `[${table}]`);
  const start = header + 1;
  const shown = header === -1 ? name : (key ?? name);
  const after = all.slice(start).findIndex((one) => /^\s*\[/.test(one));
  const end = after === -1 ? all.length : start + after; // the table ends at the next header
  const field = new RegExp(`^\\s*${shown.replace(".", "\\s*\\.\\s*")}\\s*=`);
  const at = all.findIndex((one, index) => index >= start && index < end && field.test(one));
  const line = `${shown} = ${typeof value === "string" ? JSON.stringify(value) : `[${value.map((one) => JSON.stringify(one)).join(", ")}]`}`;
  const next = at === -1 ? all.toSpliced(end, 0, line) : all.with(at, line);
  return `${next.join("\n")}\n`;
}

function fieldOf(text: string, name: string): unknown {
  try {
    return name
      .split(".")
      .reduce<unknown>(
        (at, part) => (at as Readonly<Record<string, unknown>> | undefined)?.[part],
        parse(text),
      );
  } catch {
    return undefined; // the daemon's check reports the error
  }
}

/** `ployzd check` only reads the file. An older daemon without it fails at its start instead. */
async function check(file: string, shownAs: string, payload: string): Promise<void> {
  const lib = join(payload, "lib");
  const { stderr } = await run(
    join(lib, "node"),
    ["--import", join(lib, "compile-cache.mjs"), join(lib, "ployzd.mjs"), "check", "--config", file],
    { okExitCodes: [0, 1, 2], timeoutMs: 60_000 },
  );
  const problem = /^ployzd: (.*) \(config_invalid\)$/m.exec(stderr)?.[1];
  if (problem === undefined) return;
  throw new PloyzError({
    code: "config_invalid",
    message: problem.replaceAll(file, shownAs),
    hint: "correct the file or the flag; docs/configuration.md lists the fields",
  });
}
