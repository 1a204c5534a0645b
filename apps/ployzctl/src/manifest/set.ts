import { usage } from "../errors.ts";
import { isTable, type Table } from "./document.ts";

/** One `--set services.web.replicas=3`, put into the document. A quoted part of the path may hold dots. @throws PloyzError `usage`. */
export async function withSetting(document: Table, setting: string): Promise<Table> {
  const [, path = "", text] = /^((?:"[^"]+"|[^=".]+)(?:\.(?:"[^"]+"|[^=".]+))*)=(.*)$/s.exec(setting) ?? [];
  const parts = path.match(/"[^"]+"|[^."]+/g)?.map((part) => part.replace(/^"|"$/g, "")) ?? [];
  if (text === undefined || parts.some((part) => part === "__proto__"))
    throw usage(
      `--set: ${JSON.stringify(setting.slice(0, 80))} is not PATH=VALUE`,
      "for example --set services.web.replicas=3",
    );
  return put(document, parts, await parsedValue(text), setting);
}

function put(table: Table, [key = "", ...rest]: readonly string[], value: unknown, setting: string): Table {
  if (rest.length === 0) return { ...table, [key]: value };
  const inner = Object.hasOwn(table, key) ? table[key] : {};
  if (!isTable(inner)) throw usage(`--set ${setting.slice(0, 80)}: ${key} is not a table`);
  return { ...table, [key]: put(inner, rest, value, setting) };
}

/** A value as TOML writes it; anything else is a string. */
async function parsedValue(text: string): Promise<unknown> {
  const { parse } = await import("smol-toml");
  try {
    const { value, ...more } = parse(`value = ${text}`);
    if (Object.keys(more).length === 0) return JSON.parse(JSON.stringify(value));
  } catch {
    // not TOML
  }
  return text;
}
