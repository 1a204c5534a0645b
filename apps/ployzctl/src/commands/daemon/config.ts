import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "@ployz/exec";
import { parse } from "smol-toml";
import { CliError } from "../../errors.ts";

/**
 * Sets top-level fields of the daemon's configuration and leaves all else, comments too, as it is. The new text is shown to the
 * daemon's own check before it takes the file's place. Resolves with whether the file changed.
 * @throws CliError `config_invalid`: of the file as it is, or of what it would become.
 */
export async function writeFields(
  path: string,
  fields: Readonly<Record<string, string>>,
  payload: string,
): Promise<boolean> {
  const before = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const after = Object.entries(fields).reduce((text, [name, value]) => setField(text, name, value), before);
  const fresh = join(dirname(path), `.config.toml.${process.pid}`);
  if (after === before) {
    if (before !== "") await check(path, path, payload);
    return false;
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  try {
    await writeFile(fresh, after, { mode: 0o644 });
    await chmod(fresh, 0o644);
    await check(fresh, path, payload);
    await rename(fresh, path);
  } finally {
    await rm(fresh, { force: true });
  }
  return true;
}

/** The text with one field set. Top-level fields end at the first table header. */
export function setField(text: string, name: string, value: string): string {
  const line = `${name} = ${JSON.stringify(value)}`;
  const all = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const header = all.findIndex((one) => /^\s*\[/.test(one));
  const end = header === -1 ? all.length : header;
  const at = all.findIndex((one, index) => index < end && new RegExp(`^\\s*${name}\\s*=`).test(one));
  if (at !== -1 && fieldOf(text, name) === value) return text;
  const next = at === -1 ? all.toSpliced(end, 0, line) : all.with(at, line);
  return `${next.join("\n")}\n`;
}

function fieldOf(text: string, name: string): unknown {
  try {
    return parse(text)[name];
  } catch {
    return undefined; // the daemon's check says what is wrong with it
  }
}

/** `ployzd check` reads the file and starts nothing. A daemon that has no such command says so, and finds out when it starts. */
async function check(file: string, shownAs: string, payload: string): Promise<void> {
  const lib = join(payload, "lib");
  const { stderr } = await run(
    join(lib, "node"),
    ["--import", join(lib, "compile-cache.mjs"), join(lib, "ployzd.mjs"), "check", "--config", file],
    { okExitCodes: [0, 1], timeoutMs: 15_000 },
  );
  const problem = /^ployzd: (.*) \(config_invalid\)$/m.exec(stderr)?.[1];
  if (problem === undefined) return;
  throw new CliError({
    code: "config_invalid",
    message: problem.replaceAll(file, shownAs),
    hint: "correct the file or the flag; docs/configuration.md lists the fields",
  });
}
