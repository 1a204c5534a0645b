import { isTable, type Table } from "../manifest/document.ts";
import type { ComposePath, Report } from "./report.ts";
import { scalarText } from "./words.ts";

/** Contents by name; one that cannot be had is `undefined`, and reported. */
export interface Definitions {
  readonly configs: ReadonlyMap<string, Table | undefined>;
  readonly secrets: ReadonlyMap<string, Table | undefined>;
}

/** `configs` and `secrets` of a Compose file. */
export function readDefinitions(document: Table, report: Report): Definitions {
  const read = (kind: "configs" | "secrets", contentOf: typeof configOf) =>
    new Map(
      Object.entries(isTable(document[kind]) ? document[kind] : {}).map(([name, value]) => [
        name,
        contentOf(isTable(value) ? value : {}, name, report),
      ]),
    );
  return { configs: read("configs", configOf), secrets: read("secrets", secretOf) };
}

/** `configs` and `secrets` of a service as files of a manifest, by path. */
export function convertFiles(
  service: Table,
  at: ComposePath,
  { configs, secrets }: Definitions,
  report: Report,
): Record<string, Table> {
  const lookUp = (kind: string, found: ReadonlyMap<string, Table | undefined>, { source, path }: Use) =>
    found.has(source)
      ? found.get(source)
      : report.add(path, `there is no ${kind} ${source}`, `list it below ${kind}s`);
  return {
    ...placed(service.configs, [...at, "configs"], report, (use) => ({
      target: use.target ?? `/${use.source}`,
      content: lookUp("config", configs, use),
    })),
    ...placed(service.secrets, [...at, "secrets"], report, (use) => {
      const { target = use.source } = use;
      return {
        target: target.startsWith("/") ? target : `/run/secrets/${target}`,
        content: lookUp("secret", secrets, use),
      };
    }),
  };
}

interface Use {
  readonly source: string;
  readonly target: string | undefined;
  readonly path: ComposePath;
}
function placed(
  value: unknown,
  at: ComposePath,
  report: Report,
  find: (use: Use) => { readonly target: string; readonly content: Table | undefined },
): Record<string, Table> {
  const found = new Map<string, Table>();
  for (const [index, entry] of (Array.isArray(value) ? value : []).entries()) {
    const path = [...at, index];
    const { source, target, uid, gid, mode, ...rest } = isTable(entry)
      ? entry
      : { source: scalarText(entry) };
    const [other] = Object.keys(rest);
    if (other !== undefined) report.add([...path, other], "is not supported", "leave it out");
    const { content, target: place } = find({
      source: scalarText(source),
      target: target === undefined ? undefined : scalarText(target),
      path,
    });
    if (content === undefined) continue;
    if (found.has(place)) report.add(path, `${place} is given twice`, "name another target");
    found.set(place, {
      ...content,
      ...(mode !== undefined && { mode: modeText(mode) }),
      ...(uid !== undefined && { owner: `${scalarText(uid)}:${scalarText(gid ?? uid)}` }),
    });
  }
  return Object.fromEntries(found);
}

/** Compose means 0440 as octal; YAML 1.2 reads it as 440. */
const modeText = (mode: unknown): string =>
  typeof mode === "number" && !/^[0-7]{3}$/.test(String(mode)) ? mode.toString(8) : scalarText(mode);

function configOf(config: Table, key: string, report: Report): Table | undefined {
  const at = ["configs", key];
  const { file, content, name: _, ...rest } = config;
  const [other] = Object.keys(rest);
  if (other !== undefined)
    return report.add([...at, other], "is not supported", "name a file, or give its content");
  if (typeof file === "string" && content !== undefined)
    return report.add([...at, "content"], "is given beside a file", "leave one of them out, or !reset it");
  if (typeof file === "string") return { path: file };
  if (typeof content === "string") return { text: content };
  return report.add(at, "has no content", "name a file: file: ./app.conf, or content: …");
}

function secretOf(secret: Table, key: string, report: Report): Table | undefined {
  const { external, name = key, ...rest } = secret;
  const [other] = Object.keys(rest);
  if (external === true && other === undefined) return { secret: scalarText(name) };
  return report.add(
    ["secrets", key, other ?? "external"],
    "is not supported: a secret is in the cluster",
    `ployzctl secret set NAMESPACE/${key} reads it from stdin; then external: true`,
  );
}
